import type { AuditEvent } from '#contracts';
import { appConfigId } from '#evidence';
import {
  type PlatformOptions,
  type QuoteRequest,
  type SgxReportFields,
  SoftwareAesm,
  SoftwareEnclave,
  SoftwareProcessor,
  SoftwareQuotingEnclave,
} from '#simulator';
import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  envSecret,
  type EventTail,
  identityOf,
  manifestOf,
  measured,
  type RunningSiegel,
  startSiegel,
  temporaryFolder,
} from '../harness/index.js';
import { AgentProcess } from './agent-process.js';
import { EmAppClient } from './em-app-client.js';
import { type Bound, BOUND } from './native-bindings.js';
import { call } from './runtime-client.js';

export const SECRETS = {
  'bucket-key': `bucket ${randomBytes(16).toString('hex')}`,
  unrelated: 'not for a dataset',
};
const FILES = '/opt/fortanix/enclave-os/app-config/rw/';
const port = (id: string) => ({ dataset: { id } });

/** Integer-like keys, escapes and unsorted maps: what a serialiser can get wrong. */
export const CONFIG = {
  zone_ca: ['b', 'a', 'b'],
  labels: { '10': 'ten', location: 'East US', '9': 'nine' },
  app_config: {
    [`${FILES}b.conf`]: { contents: Buffer.from('mode=prod\n').toString('base64') },
    [`${FILES}a "quoted"`]: {},
  },
  workflow: {
    port_map: {
      output: { report: { application: {} } },
      input: { orders: port('141C73D4-36F2-4185-BC75-40E2F7F4F235') },
    },
    app_name: 'app-1',
    workflow_id: '93156096-5ed4-41ad-ae23-19e8fab1e0af',
  },
};
export const CONFIG_ID = appConfigId(CONFIG).toString('hex');
export const OTHER_CONFIG = { app_config: {}, labels: { other: 'yes' }, zone_ca: [] };
export const OTHER_ID = appConfigId(OTHER_CONFIG).toString('hex');

const certificate = (...dns: string[]) => ({ dns, ips: ['10.1.2.3'], ttl: '24h' });
const configured = {
  certificate: certificate('orders.test.svc'),
  secrets: [envSecret('bucket-key', 'BUCKET_KEY'), envSecret('unrelated', 'UNRELATED')],
  fortanix: {
    configs: [
      {
        config: CONFIG,
        connections: {
          input: { orders: { dataset: { location: 'https://store.test/orders', secret: 'BUCKET_KEY' } } },
          output: { report: { application: { workflow_domain: 'report.test' } } },
        },
      },
      { config: OTHER_CONFIG },
    ],
  },
};
export const WORKLOADS = {
  plain: { certificate: certificate('plain.test.svc', 'second.test.svc'), fortanix: {} },
  waiting: { certificate: certificate('old.test.svc'), fortanix: {} },
  configured,
  /** One measurement, told apart by its configuration. */
  claimed: {
    ...configured,
    identity: { mrenclave: [measured('claimed')], claims: { 'fortanix-config': [OTHER_ID] } },
  },
  native: { certificate: certificate('native.test.svc') },
  bindings: { binding: { convention: Object.keys(BOUND) }, env: { BOUND: 'yes' } },
};
export const MANIFEST = manifestOf(WORKLOADS);

/** A deployment, one node with aesmd and agent, and enclaves that boot on it. */
export class FortanixDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly aesm: SoftwareAesm,
    readonly agent: AgentProcess,
    readonly ca: string,
    readonly tail: EventTail,
    private readonly folder: string,
    private readonly processor: SoftwareProcessor,
  ) {}

  static async start(): Promise<FortanixDeployment> {
    const settings = ['SIEGEL_FORTANIX=true', 'SIEGEL_FORTANIX_CERTIFICATE_SECONDS=3600'];
    const siegel = await startSiegel({
      args: settings.flatMap((setting) => ['--env', setting]),
      secrets: SECRETS,
      manifest: MANIFEST,
    });
    const folder = temporaryFolder();
    const processor = new SoftwareProcessor();
    const platform = siegel.machines.sgx.platform({ name: 'demo' });
    const socket = join(folder, 'aesm.socket');
    const qe = new SoftwareQuotingEnclave(platform, processor);
    const aesm = await SoftwareAesm.listen(socket, qe, { slack: 512 });
    const agent = await AgentProcess.start({
      SIEGEL_AESM_SOCKET: socket,
      SIEGEL_AESM_TIMEOUT_MS: '2000',
      SIEGEL_AGENT_ISSUER_URL: siegel.endpoints.release,
      SIEGEL_AGENT_ISSUER_CA_FILE: siegel.layout.caCertificate,
      SIEGEL_AGENT_ISSUER_TIMEOUT_MS: '5000',
    });
    const ca = readFileSync(siegel.layout.caCertificate, 'utf8');
    const tail = await siegel.log.tail();
    return new FortanixDeployment(siegel, aesm, agent, ca, tail, folder, processor);
  }

  enclave(word: string, change: SgxReportFields = {}, machine: PlatformOptions = {}): SoftwareEnclave {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    const identity = identityOf(word) as SgxReportFields;
    return new SoftwareEnclave(platform, this.processor, { ...identity, ...change });
  }

  client(word: string, change: SgxReportFields = {}): EmAppClient {
    return new EmAppClient(this.agent.url, this.enclave(word, change));
  }

  /** What was logged of this protocol since the last look. */
  async events(): Promise<AuditEvent[]> {
    return (await this.tail.next()).filter(({ type }) => /^(attestation|release)\./.test(type));
  }

  /** Exactly one event, a denial for that reason. */
  async denialFor(reason: string, type = 'attestation.denied'): Promise<void> {
    expect(await this.events()).toEqual([
      expect.objectContaining({
        type,
        outcome: 'denied',
        reason: expect.objectContaining({ code: reason }),
        data: expect.objectContaining({ protocol: 'fortanix' }),
      }),
    ]);
  }

  /** `POST /v1/attest` with a quote over the report data of a binding. Gives status and error code. */
  async attestNatively(
    binding: string,
    { keys, reportData, carried }: Bound,
    word = 'bindings',
  ): Promise<[number, string | undefined]> {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo' });
    const quote = platform.quote({ ...identityOf(word), reportData } as QuoteRequest);
    const spki = keys.publicKey.export({ format: 'der', type: 'spki' });
    const body = JSON.stringify({
      evidence: quote.toString('base64url'),
      publicKey: { spki: spki.toString('base64url') },
      binding,
      ...carried,
    });
    const headers = { 'content-type': 'application/json' };
    const url = `${this.siegel.endpoints.release}/v1/attest`;
    const { status, text } = await call(url, { ca: this.ca }, { method: 'POST', headers, body });
    return [status, (JSON.parse(text) as { code?: string }).code];
  }

  async stop(): Promise<void> {
    await this.agent.stop();
    await this.aesm.close();
    await this.siegel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
