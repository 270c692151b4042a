import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { StartFailure } from './failure.js';
import { prepareKeys } from './key-material.js';
import { Layout } from './layout.js';
import { prepareMaa } from './maa-files.js';
import { ManagedProcess, type ProcessSpec } from './managed-process.js';
import { findNatsServer } from './nats-binary.js';
import { writeNatsConfig } from './nats-files.js';
import { settlePorts, type Ports } from './ports.js';
import {
  leashed,
  natsSpec,
  SERVICES,
  serviceSpec,
  witnessSpec,
  type DeploymentSettings,
} from './services.js';
import { SimulatedWorld } from './simulated-platform.js';
import { lockState } from './state-lock.js';

export interface UpOptions {
  readonly stateDir: string;
  /** Where fetched programs are kept; shared by all state folders of a checkout. */
  readonly toolsDir: string;
  readonly ports: Ports;
  readonly tenant: string;
  readonly logLevel: string;
  /** Vaults besides the embedded one: a file like SIEGEL_VAULTS_FILE. */
  readonly vaultsFile?: string;
  /** Further variables of the services. */
  readonly environment?: Readonly<Record<string, string>>;
  /** See `DeploymentSettings`. */
  readonly leash?: readonly string[];
  /** key-release starts when the others are ready, so that whoever reaches it is served; by default all start together. */
  readonly staged?: boolean;
  readonly progress: (text: string) => void;
}

/** Name of the embedded vault. */
export const VAULT = 'demo';
const READY_TIMEOUT_MS = 60_000;

/** A whole deployment on this machine: nats-server, the three services and a witness as processes of their own, one state folder. */
export class LocalDeployment {
  private readonly processes: ManagedProcess[] = [];

  private constructor(
    readonly settings: DeploymentSettings,
    readonly world: SimulatedWorld,
    private readonly progress: (text: string) => void,
    private readonly unlock: () => void,
  ) {}

  static async start(options: UpOptions): Promise<LocalDeployment> {
    const layout = new Layout(options.stateDir);
    try {
      for (const folder of ['nats', 'audit', 'witness', 'quote-verifier', 'key-release', 'logs', 'vault']) {
        mkdirSync(layout.path(folder), { recursive: true, mode: 0o700 });
      }
    } catch (error) {
      throw new StartFailure(
        'STATE_UNUSABLE',
        `the state folder ${layout.root} cannot be used: ${(error as Error).message}`,
      );
    }
    const unlock = lockState(layout);
    let deployment: LocalDeployment | undefined;
    try {
      const ports = await settlePorts(options.ports);
      const logOrigin = 'siegel.local/log';
      const { witnessKey, newAuditToken } = await prepareKeys(layout, logOrigin, [options.tenant]);
      const maa = ports.maa === undefined ? undefined : await prepareMaa(layout, ports.maa, options.tenant);
      const settings: DeploymentSettings = {
        layout,
        ...(maa === undefined ? {} : { maa }),
        witnessKey,
        ...(newAuditToken === undefined ? {} : { newAuditToken }),
        ports,
        tenant: options.tenant,
        trustDomain: 'siegel.local',
        logOrigin,
        publicUrl: `https://localhost:${ports.release}`,
        logLevel: options.logLevel,
        ...(options.environment === undefined ? {} : { environment: options.environment }),
        ...(options.leash === undefined ? {} : { leash: options.leash }),
      };
      const vaults = options.vaultsFile === undefined ? {} : await extraVaults(options.vaultsFile);
      const binary = findNatsServer(options.toolsDir, options.progress);
      writeNatsConfig(layout, { port: ports.nats, version: binary.version });
      writeFileSync(
        layout.vaults,
        JSON.stringify({ [VAULT]: { kind: 'embedded', dir: layout.path('vault', VAULT) }, ...vaults }),
      );
      deployment = new LocalDeployment(settings, SimulatedWorld.open(layout), options.progress, unlock);
      await deployment.launch(binary.path, options.staged ?? false);
      deployment.writeContext();
      return deployment;
    } catch (error) {
      if (deployment) await deployment.stop();
      else unlock();
      throw error;
    }
  }

  /** Process ids by name, for tests and `siegel doctor`. */
  get pids(): Record<string, number | undefined> {
    return Object.fromEntries(this.processes.map((process) => [process.spec.name, process.pid]));
  }

  async stop(): Promise<void> {
    this.world.close();
    // In the reverse order of the start: what needs the log ends before the log, everything before the broker.
    for (const process of [...this.processes].reverse()) await process.stop();
    this.unlock();
  }

  private async launch(natsPath: string, staged: boolean): Promise<void> {
    const { layout, ports } = this.settings;
    const announce = (name: string, how: string): void =>
      this.progress(`${name} ended with ${how}; starting it again`);
    const start = (spec: ProcessSpec): void => {
      const process = new ManagedProcess(leashed(spec, this.settings), announce);
      this.processes.push(process);
      process.start();
    };
    start(natsSpec(layout, natsPath));
    start(witnessSpec(this.settings));
    const until = Date.now() + READY_TIMEOUT_MS;
    const others = (): Promise<unknown> =>
      Promise.all([
        this.ready('witness', `http://127.0.0.1:${ports.witness}`, until),
        this.ready('audit', `http://127.0.0.1:${ports.audit}`, until),
        this.ready('quote-verifier', `http://127.0.0.1:${ports.verifier}`, until),
      ]);
    for (const name of SERVICES) {
      if (staged && name === 'key-release') await others();
      start(serviceSpec(name, this.settings));
    }
    await Promise.all([others(), this.ready('key-release', `https://127.0.0.1:${ports.release}`, until)]);
  }

  private async ready(name: string, base: string, until: number): Promise<void> {
    let detail = 'no answer';
    while (Date.now() < until) {
      const failed = this.processes.find((process) => process.failure !== undefined);
      if (failed) throw new StartFailure('SERVICE_FAILED', failed.failure!);
      const { ok, text } = await probe(`${base}/health/ready`);
      if (ok) return;
      detail = text;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new StartFailure(
      'NOT_READY',
      `${name} was not ready in ${READY_TIMEOUT_MS / 1_000} s (${detail.slice(0, 300)}); see ${this.settings.layout.log(name)}`,
    );
  }

  private writeContext(): void {
    const { layout, ports, tenant, publicUrl, witnessKey } = this.settings;
    // A local authority's file holds its private key beside the certificate; clients get certificates alone. With a root in a vault
    // the bundle has all roots that are trusted now.
    const bundle = join(layout.pki, 'bundle.pem');
    const file = existsSync(bundle) ? bundle : join(layout.pki, 'root.pem');
    const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
    const certificates = readFileSync(file, 'utf8').match(pem) ?? [];
    writeFileSync(layout.caCertificate, certificates.map((certificate) => `${certificate}\n`).join(''));
    const context = {
      siegel: 1,
      release: { url: publicUrl, caFile: 'ca.pem' },
      verifier: {
        url: `http://127.0.0.1:${ports.verifier}`,
        bundleDir: relative(layout.root, layout.bundles),
        simulatedRootFile: relative(layout.root, layout.simulatedRoot),
      },
      audit: { url: `http://127.0.0.1:${ports.audit}`, tokenFile: 'audit.token' },
      witness: { url: `http://127.0.0.1:${ports.witness}`, key: witnessKey },
      adminTokenFile: 'admin.token',
      nats: { url: `nats://127.0.0.1:${ports.nats}` },
      tenant,
      vault: VAULT,
    };
    writeFileSync(layout.context, `${JSON.stringify(context, null, 2)}\n`);
  }
}

/** The libraries of the cloud are loaded only where a vault of the cloud is asked for. */
async function extraVaults(file: string): Promise<Record<string, unknown>> {
  const { readExtraVaults } = await import('./extra-vaults.js');
  return readExtraVaults(file, [VAULT]);
}

/** Readiness alone is asked here, before the root certificate is known to exist; nothing secret is sent or believed. */
async function probe(url: string): Promise<{ ok: boolean; text: string }> {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  return new Promise((resolve) => {
    const call = request(url, { rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ ok: response.statusCode === 200, text }));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', (error) => resolve({ ok: false, text: error.message }));
    call.end();
  });
}
