import { AttestResponse, type AuditEvent } from '#contracts';
import { createDpopProof, PublicKey } from '#pki';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { expect } from '@jest/globals';
import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import nodeVault from 'node-vault';
import {
  envSecret,
  type EventTail,
  fileSecret,
  identityOf,
  manifestOf,
  type RunningSiegel,
  startSiegel,
} from '../harness/index.js';

export const SECRETS = {
  password: 'a password of the app',
  // A number that JavaScript would round, and white space: both must arrive as they are.
  'json-config': '{ "user": "app",\n "limit": 12345678901234567890 }',
  foreign: 'of another workload',
  'far-too-large': 'x'.repeat(3_000),
  'database-key': 'key of a database',
};
const binding = { convention: ['sha256-spki', 'sha512-rsa-der'] };
export const MANIFEST = manifestOf({
  app: {
    binding,
    secrets: [
      envSecret('password', 'PASSWORD'),
      fileSecret('json-config', '/run/secrets/config.json'),
      { ...fileSecret('database-key', '/run/secrets/key'), objectAlias: 'database_key' },
    ],
  },
  other: { binding, secrets: [envSecret('foreign', 'FOREIGN')] },
  large: { binding, secrets: [envSecret('password', 'PASSWORD'), fileSecret('far-too-large', '/large')] },
  native: { secrets: [envSecret('password', 'PASSWORD')] },
});

export const LOGIN = '/vault/v1/auth/siegel/login';
type Encoding = 'pkcs1' | 'spki';

/** A deployment with both ways in, and enclaves that come to it. */
export class AnjunaDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly ca: string,
    private readonly tail: EventTail,
  ) {}

  static async start(): Promise<AnjunaDeployment> {
    const settings = [
      'SIEGEL_ANJUNA=true',
      'SIEGEL_TENANT_HOSTS=elsewhere.test=elsewhere',
      'SIEGEL_TLS_NAMES=localhost,127.0.0.1,elsewhere.test',
    ];
    const siegel = await startSiegel({
      args: settings.flatMap((setting) => ['--env', setting]),
      secrets: SECRETS,
      manifest: MANIFEST,
    });
    return new AnjunaDeployment(
      siegel,
      readFileSync(siegel.layout.caCertificate, 'utf8'),
      await siegel.log.tail(),
    );
  }

  stop() {
    return this.siegel.stop();
  }

  quote(word: string, reportData: Buffer, change: QuoteRequest = {}, machine: PlatformOptions = {}): Buffer {
    return this.siegel.machines.sgx
      .platform({ name: 'demo', ...machine })
      .quote({ ...identityOf(word), ...change, reportData } as QuoteRequest);
  }

  /** The files of `anjuna-sgxrun --provision`, in the given encoding of the key. */
  provision(word: string, key: KeyObject, encoding: Encoding, change: QuoteRequest = {}): Buffer {
    const der = key.export({ format: 'der', type: encoding }) as Buffer;
    return this.quote(word, hash('sha512', der, 'buffer'), change);
  }

  /** Events since the last look. */
  events(): Promise<AuditEvent[]> {
    return this.tail.next();
  }

  /** Exactly one refusal for this reason. */
  async expectDenied(reason: string, type = 'attestation.denied'): Promise<AuditEvent> {
    const events = (await this.events()).filter(({ outcome }) => outcome === 'denied');
    expect(events.map((event) => [event.type, event.reason?.code])).toEqual([[type, reason]]);
    return events[0]!;
  }

  async enclave(word: string): Promise<VaultEnclave> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = PublicKey.fromKeyObject(publicKey);
    const { status, text, body } = await this.siegel.service.post('/v1/attest', {
      evidence: this.quote(word, Buffer.concat([key.spkiSha256, Buffer.alloc(32)])).toString('base64url'),
      publicKey: { jwk: key.jwk },
      binding: 'sha256-spki',
    });
    expect([status, status === 200 ? '' : text]).toEqual([200, '']);
    return new VaultEnclave(this, privateKey, AttestResponse.parse(body));
  }

  /** The stock client over TLS with our authority. */
  client(token?: string) {
    return nodeVault({
      endpoint: `${this.siegel.endpoints.release}/vault`,
      requestOptions: { ca: this.ca },
      ...(token === undefined ? {} : { token }),
    });
  }
}

/** An enclave that has attested and wants a token of Vault's kind. */
export class VaultEnclave {
  constructor(
    private readonly deployment: AnjunaDeployment,
    private readonly privateKey: KeyObject,
    readonly response: AttestResponse,
  ) {}

  async request(change: { method?: string; path?: string; key?: KeyObject } = {}) {
    const { token } = this.response;
    const proof = await createDpopProof({
      privateKey: change.key ?? this.privateKey,
      method: change.method ?? 'POST',
      url: `${this.deployment.siegel.endpoints.release}${change.path ?? LOGIN}`,
      now: new Date(),
      accessToken: token,
    });
    return { token, proof };
  }

  async login(): Promise<string> {
    const { auth } = (await this.deployment
      .client()
      .write('auth/siegel/login', await this.request())) as VaultAnswer;
    return auth!.client_token;
  }
}

export interface VaultAnswer {
  readonly data: Record<string, unknown>;
  readonly auth?: { client_token: string } & Record<string, unknown>;
}

/** Status and words of a refusal, as the stock client reports it. */
export async function refusalOf(call: Promise<unknown>): Promise<[number, unknown]> {
  try {
    await call;
  } catch (error) {
    const { response } = error as { response?: { statusCode: number; body: unknown } };
    if (!response) throw error;
    return [response.statusCode, response.body];
  }
  throw new Error('it was answered');
}
export const DENIED: [number, unknown] = [403, { errors: ['permission denied'] }];
