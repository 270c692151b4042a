import type { AuditEvent } from '#contracts';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { expect } from '@jest/globals';
import { SignJWT } from 'jose';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  envSecret,
  type EventTail,
  fileSecret,
  identityOf,
  manifestOf,
  measured,
  type RunningSiegel,
  startSiegel,
} from '../harness/index.js';
import { quoting, type Attester } from './attesters.js';
import { KbsClient, type ClientOptions, KbsFailure } from './kbs-client.js';
import { KbsTransport } from './kbs-connection.js';

/** As long as the resource of the recordings. */
export const TEXT = 'fifteen letters';
export const BYTES = randomBytes(32);
const SECRETS = { text: TEXT, key: BYTES.toString('base64'), other: 'of-another-workload' };
const resources = (...entries: object[]) => ({ trustee: { resources: entries } });

export const WORKLOADS = {
  app: {
    secrets: [
      envSecret('text', 'TEXT'),
      fileSecret('key', '/key'),
      fileSecret('missing', '/missing'),
      fileSecret('recorded', '/recorded'),
    ],
    ...resources(
      { path: 'default/key/test', secret: 'TEXT' },
      { path: 'default/key/bytes', secret: 'key', encoding: 'base64' },
      { path: 'default/key/broken', secret: 'TEXT', encoding: 'hex' },
      { path: 'default/key/missing', secret: 'missing' },
      { path: 'a/b/c', secret: 'recorded' },
    ),
  },
  other: {
    secrets: [envSecret('other', 'OTHER')],
    ...resources({ path: 'other/key/test', secret: 'OTHER' }),
  },
  native: { secrets: [envSecret('text', 'TEXT')] },
  bound: { secrets: [envSecret('text', 'TEXT')], binding: { convention: 'trustee-runtime-data' } },
};
/** A trust domain needs its kernel and image named as well; the simulator's are zeros. */
export const TD = { mrtd: 'd7'.repeat(48), rtmr1: 'a1'.repeat(48), rtmr2: 'a2'.repeat(48) };
export const MANIFEST = JSON.stringify({
  siegel: 'v1',
  workloads: {
    ...(JSON.parse(manifestOf(WORKLOADS)) as { workloads: object }).workloads,
    guest: {
      identity: { mrtd: [TD.mrtd], rtmr1: [TD.rtmr1], rtmr2: [TD.rtmr2] },
      secrets: [envSecret('text', 'TEXT')],
      ...resources({ path: 'default/key/test', secret: 'TEXT' }),
    },
    'by-signer': {
      identity: { mrsigner: [measured('release signer')], isvprodid: 7, isvsvn: 4 },
      secrets: [envSecret('text', 'TEXT')],
      ...resources({ path: 'default/key/test', secret: 'TEXT' }),
    },
  },
});

const ISSUER = 'https://idp.example';
const AUDIENCE = 'siegel-kbs';

/** A whole deployment with its KBS port, and clients of the protocol that come to it. */
export class TrusteeDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly transport: KbsTransport,
    readonly tail: EventTail,
    private readonly folder: string,
    private readonly administrator: KeyObject,
  ) {}

  static async start(settings: readonly string[] = []): Promise<TrusteeDeployment> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-trustee-'));
    const administrator = generateKeyPairSync('ed25519');
    const jwk = { ...administrator.publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'EdDSA' };
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
    const admin = join(folder, 'admin.json');
    writeFileSync(
      admin,
      JSON.stringify({
        ...{ issuer: ISSUER, audience: AUDIENCE, jwksFile: 'jwks.json' },
        roles: {
          writer: { tenants: ['default'], methods: ['POST', 'GET'], resources: ['default/key/*'] },
          keeper: { tenants: ['default'], methods: ['POST', 'DELETE', 'GET'], resources: ['*/*/*'] },
          foreign: { tenants: ['elsewhere'], methods: ['POST'], resources: ['*/*/*'] },
        },
      }),
    );
    const all = [`SIEGEL_TRUSTEE_ADMIN_FILE=${admin}`, 'SIEGEL_TRUSTEE_SAMPLE_WORKLOAD=app', ...settings];
    const siegel = await startSiegel({
      args: ['--trustee-port', '0', ...all.flatMap((setting) => ['--env', setting])],
      secrets: SECRETS,
      manifest: MANIFEST,
    });
    const ca = readFileSync(siegel.layout.caCertificate, 'utf8');
    const transport = new KbsTransport(`https://${siegel.endpoints.trustee}`, ca);
    return new TrusteeDeployment(
      siegel,
      transport,
      await siegel.log.tail(),
      folder,
      administrator.privateKey,
    );
  }

  async stop(): Promise<void> {
    this.transport.close();
    await this.siegel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The attester of an enclave that is measured by a word. */
  enclave(word: string, report: QuoteRequest = {}, machine: PlatformOptions = {}): Attester {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    return quoting('sgx', (reportData) =>
      platform.quote({ ...identityOf(word), ...report, reportData } as QuoteRequest),
    );
  }

  client(word: string, options: ClientOptions = {}, attester = this.enclave(word)): KbsClient {
    return new KbsClient(this.transport, attester, options);
  }

  /** A token of the administrator; members that are null are left out. */
  adminToken(change: Record<string, unknown> = {}, key: KeyObject = this.administrator): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: 'alice', role: 'keeper', iat: now, exp: now + 600 },
      ...change,
    };
    const stated = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
    return new SignJWT(stated).setProtectedHeader({ alg: 'EdDSA', kid: 'a' }).sign(key);
  }

  /** Events of this protocol since the last look. */
  async last(): Promise<AuditEvent[]> {
    return (await this.tail.next()).filter(
      ({ data }) => (data as { protocol?: string }).protocol === 'trustee',
    );
  }

  /** The attempt gets nothing; its user reads `text`, and exactly one event has the reason for the operator. */
  async refused(attempt: () => Promise<unknown>, text: string | RegExp, code: string): Promise<AuditEvent> {
    await this.tail.next();
    const failure = await attempt().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(KbsFailure);
    expect((failure as KbsFailure).message).toMatch(text);
    const denied = (await this.last()).filter(({ outcome }) => outcome === 'denied');
    expect(denied.map(({ reason }) => reason?.code)).toEqual([code]);
    expect(JSON.stringify(denied)).not.toContain(TEXT);
    return denied[0]!;
  }
}
