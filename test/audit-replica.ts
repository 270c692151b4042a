import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AuditDeployment, until } from './audit-deployment.js';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../dist/apps/audit/src/main.js');
export const TOKEN = 'replicas-share-this-token-which-is-long-enough';

interface Readiness {
  ok: boolean;
  checks: Record<string, { ok: boolean; detail?: string }>;
}

/** One of several audit processes on one PostgreSQL store and one folder of tiles; their state folders are their own. */
export class AuditReplica {
  #process: ChildProcess | undefined;
  url = '';
  output = '';

  constructor(
    private readonly deployment: AuditDeployment,
    readonly name: string,
    private readonly environment: Record<string, string>,
  ) {
    mkdirSync(join(deployment.folder, name), { mode: 0o700 });
    writeFileSync(join(deployment.folder, `${name}.token`), TOKEN, { mode: 0o600 });
  }

  get logPublicKey() {
    return this.deployment.logPublicKey;
  }

  async start(): Promise<void> {
    const { folder } = this.deployment;
    this.url = '';
    const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
      env: {
        ...this.deployment.serviceEnvironment(join(folder, this.name)),
        SIEGEL_INSTANCE: this.name,
        SIEGEL_AUDIT_TOKEN_FILE: join(folder, `${this.name}.token`),
        ...this.environment,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.output = (this.output + text).slice(-65_536);
      const match = /"url":"(https?:[^"]+)"/.exec(text);
      if (match) this.url = match[1]!;
    });
    await until(() => this.url !== '' || child.exitCode !== null, 20_000, `${this.name} did not start`);
    if (this.url === '') throw new Error(`${this.name} ended with ${child.exitCode}: ${this.output}`);
  }

  /** SIGSTOP and SIGCONT pause and continue; it does not end by them. */
  signal(signal: NodeJS.Signals): void {
    this.#process!.kill(signal);
  }

  /** Its exit code, once it ends by itself. */
  ended(): Promise<number | null> {
    return new Promise((resolve) => this.#process!.once('exit', (code) => resolve(code)));
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  get(path: string, headers: Record<string, string> = {}, timeoutMs = 10_000): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
  }

  async json<T>(path: string): Promise<T> {
    const response = await this.get(path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async leads(): Promise<boolean> {
    try {
      const ready = (await (await this.get('/health/ready', {}, 1_000)).json()) as Readiness;
      return ready.checks['log']?.detail === 'leads';
    } catch {
      return false;
    }
  }
}
