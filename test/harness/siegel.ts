import type { NatsConnection } from '@nats-io/transport-node';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { Layout } from '../../apps/cli/src/up/layout.js';
import type { NatsUser } from '../../apps/cli/src/up/nats-config.js';
import { compiled, ROOT } from './checkout.js';
import { Machines } from './enclaves.js';
import { EventLog } from './event-tail.js';
import { connectAs } from './nats.js';
import { allGone, childrenOf, isAlive, signal } from './processes.js';
import { eventually, PATIENCE_MS } from './waiting.js';

export const TENANT = 'default';
/** Name of the embedded vault that `up` sets up. */
export const VAULT = 'demo';
export const ANY_PORT = ['nats', 'release', 'verifier', 'audit'].flatMap((name) => [`--${name}-port`, '0']);
export type Part = 'nats-server' | 'witness' | 'audit' | 'quote-verifier' | 'key-release';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A run of the command line from dist/, as a process of its own. */
export class SiegelCommand {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  exit: Exit | undefined;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const program = pathToFileURL(compiled('apps/cli/src/main.js')).href;
    this.child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { run } from ${JSON.stringify(program)}; process.exitCode = await run(process.argv.slice(1));`,
        '--',
        ...args,
      ],
      {
        cwd: ROOT,
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'], ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.child.on('close', (code, name) => (this.exit = { code, signal: name }));
  }

  get pid(): number {
    return this.child.pid!;
  }

  ended(patienceMs: number = PATIENCE_MS): Promise<Exit> {
    return eventually(`the end of the command (${this.stderr.slice(-500)})`, () => this.exit, patienceMs);
  }
}

interface Started {
  readonly ok: boolean;
  readonly error?: { code: string; message: string };
  readonly endpoints: {
    readonly release: string;
    readonly verifier: string;
    readonly audit: string;
    readonly nats: string;
    readonly gramine?: string;
    readonly trustee?: string;
    readonly maa?: string;
  };
  readonly pids: Record<Part, number>;
}

export interface StartOptions {
  /** An existing state folder, which is then the caller's to remove. */
  readonly state?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly manifest?: string;
  readonly args?: readonly string[];
  readonly maxSockets?: number;
}

/** A whole deployment as `siegel up` makes it: real processes, ports of the system's choice, a state folder of its own. */
export class RunningSiegel {
  readonly layout: Layout;
  readonly service: HttpsJson;
  readonly admin: AdminClient;
  readonly log: EventLog;
  readonly machines: Machines;
  private readonly connections: NatsConnection[] = [];

  constructor(
    readonly command: SiegelCommand,
    readonly state: string,
    private readonly ownState: boolean,
    readonly started: Started,
    maxSockets: number,
  ) {
    this.layout = new Layout(state);
    this.service = this.client(started.endpoints.release, maxSockets);
    const { url, token } = { url: started.endpoints.audit, token: this.secretFile(this.layout.auditToken) };
    this.admin = new AdminClient(this.service, this.adminToken, { url, token });
    this.log = new EventLog(url, token);
    this.machines = new Machines(this.layout);
  }

  get endpoints(): Started['endpoints'] {
    return this.started.endpoints;
  }

  get adminToken(): string {
    return this.secretFile(this.layout.adminToken);
  }

  client(url: string, maxSockets = 64): HttpsJson {
    return new HttpsJson(url, readFileSync(this.layout.caCertificate, 'utf8'), maxSockets);
  }

  /** An administrative call, answered whatever the answer is. */
  adminCall(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
    return this.service.call(method, path, {
      headers: { authorization: `Bearer ${this.adminToken}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  private get parts(): Part[] {
    return Object.keys(this.started.pids) as Part[];
  }

  /** The present process numbers; a part that is being started again has none. */
  pids(): Partial<Record<Part, number>> {
    const children = childrenOf(this.command.pid);
    return Object.fromEntries(
      this.parts.flatMap((part) => {
        const mark = part === 'nats-server' ? this.layout.natsConfig : `/apps/${part}/src/main.js`;
        const found = children.find(({ command }) => command.includes(mark));
        return found ? [[part, found.pid]] : [];
      }),
    );
  }

  pid(part: Part): number {
    const pid = this.pids()[part];
    if (pid === undefined) throw new Error(`${part} is not running`);
    return pid;
  }

  /** SIGKILL; the supervisor starts the part again. Gives the number that it had. */
  async kill(part: Part): Promise<number> {
    const pid = this.pid(part);
    signal(pid, 'SIGKILL');
    await allGone([pid]);
    return pid;
  }

  /** Freezes a part while `during` runs: it keeps its connections and answers nothing. */
  async frozen<T>(part: Part, during: () => Promise<T>): Promise<T> {
    const pid = this.pid(part);
    signal(pid, 'SIGSTOP');
    try {
      return await during();
    } finally {
      signal(pid, 'SIGCONT');
    }
  }

  /** Until every part runs and every service says that it can do its work. */
  async ready(): Promise<void> {
    await eventually('a ready deployment', async () => {
      if (this.parts.some((part) => this.pids()[part] === undefined)) return false;
      const checks = await Promise.all([
        this.service.call('GET', '/health/ready').then(({ status }) => status === 200),
        ...[this.endpoints.audit, this.endpoints.verifier].map((url) =>
          fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) }).then(({ ok }) => ok),
        ),
      ]);
      return checks.every(Boolean);
    });
  }

  async nats(user: NatsUser): Promise<NatsConnection> {
    const connection = await connectAs(user, this.layout, this.endpoints.nats);
    this.connections.push(connection);
    return connection;
  }

  /** Everything that the services have written to their logs. */
  logText(): string {
    return readdirSync(this.layout.path('logs'))
      .map((name) => readFileSync(this.layout.path('logs', name), 'utf8'))
      .join('\n');
  }

  /** Ends everything, as Ctrl-C does, and by force where that does not help. Gives what the command's end was. */
  async stop(how: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    const pids = childrenOf(this.command.pid).map(({ pid }) => pid);
    try {
      this.service.close();
      await Promise.all(this.connections.map((connection) => connection.close().catch(() => undefined)));
      // A frozen process takes no signal but this one and SIGKILL.
      for (const pid of pids) signal(pid, 'SIGCONT');
      signal(this.command.pid, how);
      return await this.command.ended();
    } finally {
      for (const pid of [this.command.pid, ...pids]) if (isAlive(pid)) signal(pid, 'SIGKILL');
      if (this.ownState) rmSync(this.state, { recursive: true, force: true });
    }
  }

  private secretFile(path: string): string {
    return readFileSync(path, 'utf8').trim();
  }
}

/** Starts a deployment and, where they are given, puts secrets and manifest in place. */
export async function startSiegel(options: StartOptions = {}): Promise<RunningSiegel> {
  const state = options.state ?? temporaryFolder();
  const command = new SiegelCommand(['up', '--json', '--state', state, ...ANY_PORT, ...(options.args ?? [])]);
  let siegel: RunningSiegel | undefined;
  try {
    await eventually(
      'the JSON of "siegel up"',
      () => command.stdout.includes('\n') || command.exit !== undefined,
    );
    if (command.exit) throw new Error(`"siegel up" ended: ${command.stdout} ${command.stderr}`);
    const started = JSON.parse(command.stdout) as Started;
    if (!started.ok) throw new Error(`"siegel up": ${started.error?.code} ${started.error?.message}`);
    siegel = new RunningSiegel(
      command,
      state,
      options.state === undefined,
      started,
      options.maxSockets ?? 64,
    );
    for (const [name, value] of Object.entries(options.secrets ?? {}))
      await siegel.admin.putSecret(TENANT, VAULT, name, value);
    if (options.manifest !== undefined) await siegel.admin.setManifest(TENANT, options.manifest, 0);
    return siegel;
  } catch (error) {
    if (siegel) await siegel.stop();
    else {
      for (const { pid } of childrenOf(command.pid)) signal(pid, 'SIGKILL');
      signal(command.pid, 'SIGKILL');
      if (options.state === undefined) rmSync(state, { recursive: true, force: true });
    }
    throw error;
  }
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'siegel-test-'));
