import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { settlePorts } from '../../apps/cli/src/up/ports.js';
import { serviceSpec } from '../../apps/cli/src/up/services.js';
import { compiled } from './checkout.js';
import { allGone, signal } from './processes.js';
import { type RunningSiegel, TENANT } from './siegel.js';
import { eventually } from './waiting.js';

/**
 * A second key-release beside the one of the deployment, as an operator would start it: same keys and trust, a state folder and
 * a port of its own. It has no vault, because the embedded one belongs to one process; workloads that get certificates and plain
 * values are served alike.
 */
export class Replica {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly siegel: RunningSiegel,
    private readonly folder: string,
    private readonly port: number,
    readonly service: HttpsJson,
    private readonly changes: NodeJS.ProcessEnv,
  ) {}

  static async start(siegel: RunningSiegel, changes: NodeJS.ProcessEnv = {}): Promise<Replica> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-replica-'));
    const { release: port } = await settlePorts({ nats: 0, release: 0, verifier: 0, audit: 0 });
    const replica = new Replica(siegel, folder, port, siegel.client(`https://localhost:${port}`), changes);
    writeFileSync(join(folder, 'vaults.json'), '{}');
    mkdirSync(join(folder, 'state'), { mode: 0o700 });
    try {
      await replica.launch();
    } catch (error) {
      await replica.stop();
      throw error;
    }
    return replica;
  }

  /** Ends the process, if it runs, and starts it on the same state folder. */
  async restart(): Promise<void> {
    await this.end();
    await this.launch();
  }

  /** Where it listens; its public address is that of the deployment. */
  get url(): string {
    return `https://localhost:${this.port}`;
  }

  get logText(): string {
    return readFileSync(join(this.folder, 'replica.log'), 'utf8');
  }

  async stop(): Promise<void> {
    this.service.close();
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async launch(): Promise<void> {
    const { siegel, folder, port } = this;
    const ports = Object.fromEntries(
      Object.entries(siegel.endpoints).map(([name, url]) => [name, Number(new URL(url).port)]),
    ) as { nats: number; release: number; verifier: number; audit: number };
    const { env } = serviceSpec('key-release', {
      layout: siegel.layout,
      ports: { ...ports, release: port },
      tenant: TENANT,
      trustDomain: 'siegel.local',
      logOrigin: 'siegel.local/log',
      publicUrl: siegel.endpoints.release,
      logLevel: 'info',
      environment: {},
    });
    const log = openSync(join(folder, 'replica.log'), 'a', 0o600);
    this.child = spawn(process.execPath, ['--enable-source-maps', compiled('apps/key-release/src/main.js')], {
      env: {
        ...env,
        SIEGEL_INSTANCE: 'key-release-2',
        SIEGEL_STATE_DIR: join(folder, 'state'),
        SIEGEL_VAULTS_FILE: join(folder, 'vaults.json'),
        ...this.changes,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const { child } = this;
    await eventually('a second key-release', async () => {
      if (child.exitCode !== null) return true;
      return (await this.service.call('GET', '/health/ready')).status === 200;
    });
    if (child.exitCode !== null) throw new Error(`the replica ended with ${child.exitCode}: ${this.logText}`);
  }

  private async end(): Promise<void> {
    const pid = this.child?.pid;
    if (pid === undefined) return;
    signal(pid, 'SIGKILL');
    await allGone([pid]);
  }
}
