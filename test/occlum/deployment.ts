import type { AuditEvent } from '#contracts';
import { INTEL_SGX_ROOT, trustAnchorFromPem, verifyQuote } from '#dcap';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { settlePorts } from '../../apps/cli/src/up/ports.js';
import { AttestationDevice } from '../gramine/attestation-device.js';
import {
  envSecret,
  type EventTail,
  fileSecret,
  identityOf,
  manifestOf,
  measured,
  type RunningSiegel,
  startSiegel,
  temporaryFolder,
} from '../harness/index.js';
import type { Quoting } from '../ra-tls/dialect-identities.js';
import type { ServerPolicy } from './ratls-client.js';
import { platformOf } from './simulated-platform.js';

export const IMAGE_KEY = randomBytes(16);
export const OTHER_IMAGE_KEY = randomBytes(16);
export const KEY_32 = randomBytes(32);
export const TEXT = 'two bytes over three: 32 bytes..';
export const SECRETS = {
  'image-a': IMAGE_KEY.toString('hex'),
  'image-b': OTHER_IMAGE_KEY.toString('base64'),
  'key-32': KEY_32.toString('base64'),
  'key-16': IMAGE_KEY.toString('base64'),
  text: TEXT,
  odd: 'seven..',
  large: 'x'.repeat(10_237),
  'too-large': 'x'.repeat(10_238),
};
const both = { protocols: ['aecs', 'grpc_ratls'] };
const file = (objectName: string) => fileSecret(objectName, `/${objectName}`);
/** Workloads are recognised by the measurement of their name. */
export const WORKLOADS = {
  app: {
    secrets: [...['image-a', 'key-32', 'odd', 'large', 'too-large'].map(file), envSecret('text', 'TEXT')],
    occlum: {
      ...both,
      answers: [
        { name: 'image_key', secret: 'image-a', encoding: 'hex' },
        { name: 'key', secret: 'key-32', form: 'bytes', encoding: 'base64', length: 32 },
        { name: 'text', service: 'service2', secret: 'TEXT' },
        { name: 'file', secret: 'odd' },
        { name: 'encoded', secret: 'key-32', form: 'base64', encoding: 'base64', length: 32 },
        { name: 'large', secret: 'large' },
        { name: 'too-large', secret: 'too-large' },
        { name: 'not-hex', secret: 'odd', form: 'bytes', encoding: 'hex', length: 32 },
      ],
    },
  },
  // The same name, another measurement: another key.
  other: {
    secrets: [file('image-b')],
    occlum: { ...both, answers: [{ name: 'image_key', secret: 'image-b', encoding: 'base64' }] },
  },
  'aecs-only': {
    secrets: [file('key-16')],
    occlum: { answers: [{ name: 'key', secret: 'key-16', form: 'bytes', encoding: 'base64' }] },
  },
  'ratls-only': {
    secrets: [file('odd')],
    occlum: { protocols: ['grpc_ratls'], answers: [{ name: 'file', secret: 'odd' }] },
  },
  native: { secrets: [envSecret('text', 'TEXT')] },
  newer: {
    identity: { mrenclave: [measured('newer')], isvsvn: 4 },
    secrets: [file('odd')],
    occlum: { ...both, answers: [{ name: 'file', secret: 'odd' }] },
  },
};
export const SERVER = 'the enclave that serves grpc_ratls';
const SETTINGS = ['SIEGEL_TENANT_HOSTS=tenant.example=default', 'SIEGEL_OCCLUM_RATLS_TIMEOUT_MS=4000'];

/** A whole deployment with both ports of Occlum; its own quotes come from a simulated machine by way of an attestation device. */
export class OcclumDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly aecsPort: number,
    readonly ratlsPort: number,
    readonly tail: EventTail,
    private readonly device: AttestationDevice,
    private readonly state: string,
  ) {}

  static async start(): Promise<OcclumDeployment> {
    const state = temporaryFolder();
    // Asked for the first time when key-release starts: by then the simulated machines are in the state folder.
    const device = new AttestationDevice((reportData) =>
      platformOf(state).quote({ ...identityOf(SERVER), reportData } as QuoteRequest),
    );
    const { release: aecsPort, audit: ratlsPort } = await settlePorts({
      nats: 0,
      release: 0,
      verifier: 0,
      audit: 0,
    });
    const settings = [
      ...SETTINGS,
      `SIEGEL_OCCLUM_AECS_PORT=${aecsPort}`,
      `SIEGEL_OCCLUM_RATLS_PORT=${ratlsPort}`,
      'SIEGEL_OCCLUM_RATLS_QUOTES=simulated',
      `SIEGEL_OCCLUM_RATLS_DEVICE=${device.folder}`,
    ];
    try {
      const siegel = await startSiegel({
        state,
        args: ['--maa-port', '0', ...settings.flatMap((setting) => ['--env', setting])],
        secrets: SECRETS,
        manifest: manifestOf(WORKLOADS),
      });
      return new OcclumDeployment(siegel, aecsPort, ratlsPort, await siegel.log.tail(), device, state);
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  quoting(word: string, report: QuoteRequest = {}, machine: PlatformOptions = {}): Quoting {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    return (reportData) => platform.quote({ ...identityOf(word), ...report, reportData } as QuoteRequest);
  }

  /** Collateral of the demo machine, as a client's PCCS would give it. */
  get collateral(): object {
    const { sgx } = this.siegel.machines;
    return sgx.collateral({ platform: sgx.platform({ name: 'demo' }) });
  }

  /** MAA_PROVIDER_URL of the demo's init. */
  get maa(): HttpsJson {
    const { maa } = this.siegel.endpoints as { maa?: string };
    return new HttpsJson(maa!, readFileSync(join(this.state, 'maa-ca.pem'), 'utf8'));
  }

  /** What an Occlum enclave knows of its server: the measurement, and where quotes must lead. */
  get policy(): ServerPolicy {
    const { sgx } = this.siegel.machines;
    const root = trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' });
    const bundle = this.collateral as Parameters<typeof verifyQuote>[1];
    return {
      mrEnclave: measured(SERVER),
      verifyQuote: (quote) => {
        const options = { at: new Date(), trustAnchors: [INTEL_SGX_ROOT, root] };
        const { verified, error } = verifyQuote(quote, bundle, options);
        if (!verified) throw new Error(`quote verification: ${error?.code}`);
      },
    };
  }

  /** Attestations that were logged since the last look. */
  async last(): Promise<AuditEvent[]> {
    return (await this.tail.next()).filter(({ type }) => type.startsWith('attestation.'));
  }

  /** The attempt gets a status, and exactly one event says why. */
  async refused(
    protocol: 'occlum-aecs' | 'occlum-ratls',
    status: number,
    attempt: () => Promise<unknown>,
  ): Promise<AuditEvent> {
    await this.tail.next();
    await expect(attempt()).rejects.toMatchObject({ status });
    const events = await this.last();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: 'attestation.denied', data: { protocol } });
    for (const secret of Object.values(SECRETS)) expect(JSON.stringify(events)).not.toContain(secret);
    return events[0]!;
  }

  async stop(): Promise<void> {
    try {
      await this.siegel.stop();
    } finally {
      await this.device.close();
      rmSync(this.state, { recursive: true, force: true });
    }
  }
}
