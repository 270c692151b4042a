import type { AuditEvent } from '#contracts';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  envSecret,
  type EventTail,
  fileSecret,
  identityOf,
  manifestOf,
  measured,
  type RunningSiegel,
  SiegelCommand,
  startSiegel,
} from '../harness/index.js';
import { AttestationDevice } from './attestation-device.js';
import { type Generation, newIdentity } from './ra-tls-identity.js';
import { NotProvisioned, provision, type Provisioned } from './reference-client.js';

export const KEY = randomBytes(16);
export const TEXT = 'A_SIMPLE_SECRET';
export const LONGEST = 'x'.repeat(4_095);
export const SECRETS = {
  text: TEXT,
  longest: LONGEST,
  'too-long': `${LONGEST}x`,
  'key-hex': KEY.toString('hex'),
  'key-base64': KEY.toString('base64'),
  'key-short': KEY.subarray(1).toString('hex'),
  raw: 'any bytes',
};
const one = (gramine: object, ...secrets: object[]) => ({ gramine, secrets });
export const MANIFEST = manifestOf({
  'env-string': one({ delivery: 'env-string' }, envSecret('text', 'TEXT')),
  longest: one({ delivery: 'env-string' }, envSecret('longest', 'TEXT')),
  'too-long': one({ delivery: 'env-string' }, envSecret('too-long', 'TEXT')),
  raw16: one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('key-hex', '/key')),
  hex16: one({ delivery: 'hex16', encoding: 'base64' }, fileSecret('key-base64', '/key')),
  'short-key': one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('key-short', '/key')),
  'wrong-encoding': one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('text', '/key')),
  'one-of-two': one({ delivery: 'raw', secret: 'raw' }, fileSecret('raw', '/raw'), envSecret('text', 'TEXT')),
  bundle: {
    ...one({ delivery: 'json-bundle' }, envSecret('text', 'TEXT'), fileSecret('raw', '/raw')),
    env: { MODE: 'prod' },
  },
  claimed: {
    ...one({ delivery: 'env-string' }, envSecret('text', 'TEXT')),
    identity: { mrenclave: [measured('claimed')], claims: { region: [Buffer.from('eu').toString('hex')] } },
  },
  native: { secrets: [envSecret('text', 'TEXT')] },
});

/** What `siegel gramine ca` writes for the trusted files of an enclave. */
async function exported(siegel: RunningSiegel): Promise<string> {
  const file = join(siegel.state, 'gramine-ca.crt');
  const command = new SiegelCommand(['gramine', 'ca', '--state', siegel.state, '--output', file]);
  expect((await command.ended()).code).toBe(0);
  return readFileSync(file, 'utf8');
}

/** How a run differs from that of an approved enclave of the newest generation. */
export interface Change {
  readonly generation?: Generation;
  readonly report?: QuoteRequest;
  readonly machine?: PlatformOptions;
  readonly servername?: string;
}
const SETTINGS = ['SIEGEL_TENANT_HOSTS=tenant.example=default', 'SIEGEL_GRAMINE_TIMEOUT_MS=1500'];

/** A whole deployment with its Secret Provisioning port, and enclaves that come to it. */
export class GramineDeployment {
  private readonly devices: AttestationDevice[] = [];

  private constructor(
    readonly siegel: RunningSiegel,
    readonly port: number,
    /** As an enclave has it among its trusted files. */
    readonly ca: string,
    readonly tail: EventTail,
  ) {}

  static async start(): Promise<GramineDeployment> {
    const settings = SETTINGS.flatMap((setting) => ['--env', setting]);
    const siegel = await startSiegel({
      args: ['--gramine-port', '0', ...settings],
      secrets: SECRETS,
      manifest: MANIFEST,
    });
    const port = Number(siegel.endpoints.gramine?.split(':')[1]);
    return new GramineDeployment(siegel, port, await exported(siegel), await siegel.log.tail());
  }

  device(word: string, { report = {}, machine = {} }: Change = {}): AttestationDevice {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    const made = new AttestationDevice((reportData) =>
      platform.quote({ ...identityOf(word), ...report, reportData } as QuoteRequest),
    );
    this.devices.push(made);
    return made;
  }

  async run(word: string, change: Change = {}): Promise<Provisioned> {
    const { generation = 'v1.9', servername } = change;
    const identity = await newIdentity(this.device(word, change), generation);
    const { port, ca } = this;
    return provision(identity, { port, ca, ...(servername === undefined ? {} : { servername }) });
  }

  /** Attestations that were logged since the last look. */
  async last(): Promise<AuditEvent[]> {
    return (await this.tail.next()).filter(({ type }) => type.startsWith('attestation.'));
  }

  /** The attempt gets nothing, and exactly one event says why. */
  async refused(attempt: () => Promise<unknown>): Promise<AuditEvent> {
    await this.tail.next();
    await expect(attempt()).rejects.toThrow(NotProvisioned);
    const events = await this.last();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: 'attestation.denied', data: { protocol: 'gramine' } });
    return events[0]!;
  }

  async closeDevices(): Promise<void> {
    for (const device of this.devices.splice(0)) await device.close();
  }
}
