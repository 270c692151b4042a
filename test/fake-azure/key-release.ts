import { createHash, createPrivateKey, createSign, type KeyObject } from 'node:crypto';
import { evaluateReleasePolicy, parseReleasePolicy, type ReleaseTrace } from '#policy';
import type { JWTPayload } from 'jose';
import type { AttestationAuthorities } from './attestation-authorities.js';
import type { FakeClock } from './fake-clock.js';
import type { KeyData } from './key-material.js';
import { DEFAULT_WRAP, encryptionKeyOf, wrapForRelease } from './key-wrap.js';
import type { TestAuthority } from './test-authority.js';
import { badParameter, KeyVaultError, optionalString, stringOf, type JsonObject } from './wire.js';

export interface ReleaseRequest {
  readonly key: KeyData;
  /** KeyBundle of the key, as `GET /keys/{name}/{version}` answers. */
  readonly bundle: JsonObject;
  readonly body: JsonObject;
  readonly apiVersion: string;
}

/** Why a release was refused. Key Vault tells nobody; the fake keeps it for the tests. */
export interface ReleaseRecord {
  readonly kid: string;
  readonly released: boolean;
  readonly reason?: string;
  readonly trace?: ReleaseTrace;
}

const MAX_TARGET_CHARS = 64 * 1024;

/**
 * Secure Key Release: `POST /keys/{name}/{version}/release`, with the policy really evaluated over a really verified token,
 * and the answer in the format of the genuine recording in azure.md §3.3.
 */
export class KeyReleaser {
  readonly records: ReleaseRecord[] = [];
  private readonly signingKey: KeyObject;

  constructor(
    private readonly tls: TestAuthority,
    private readonly authorities: AttestationAuthorities,
    private readonly clock: FakeClock,
  ) {
    this.signingKey = createPrivateKey(tls.keyPem);
  }

  /** The compact JWS of the answer. @throws KeyVaultError 400, 403 (for every refusal alike) */
  async release({ key, bundle, body, apiVersion }: ReleaseRequest): Promise<string> {
    const target = stringOf(body['target'], 'target');
    if (target.length > MAX_TARGET_CHARS) throw badParameter('Property target is too large.');
    const nonce = optionalString(body['nonce'], 'nonce');
    const enc = optionalString(body['enc'], 'enc') ?? DEFAULT_WRAP;
    const jwk = bundle['key'] as JsonObject;
    const kid = String(jwk['kid']);
    const refuse = (reason: string, trace?: ReleaseTrace): KeyVaultError => {
      this.records.push({ kid, released: false, reason, ...(trace === undefined ? {} : { trace }) });
      // One answer for all reasons: that is what Key Vault does.
      return new KeyVaultError(
        403,
        'Forbidden',
        'Target environment attestation statement cannot be verified.',
      );
    };
    const { releasePolicy } = key;
    if (!key.exportable || releasePolicy === undefined) throw refuse('the key is not exportable');

    let claims: JWTPayload;
    try {
      claims = await this.authorities.verify(target, new Date(this.clock.now()));
    } catch (error) {
      throw refuse(`token: ${(error as Error).message}`);
    }
    const policy = parseReleasePolicy(Buffer.from(releasePolicy.data, 'base64url').toString());
    if (!policy.ok) throw refuse(`policy: ${policy.problems.map(({ message }) => message).join('; ')}`);
    const decision = evaluateReleasePolicy(policy.policy, { issuer: String(claims.iss), claims });
    if (!decision.released) throw refuse('the policy is not met', decision.trace);
    const kek = encryptionKeyOf(claims);
    if (kek === undefined) throw refuse('the token carries no RSA encryption key');

    const ciphertext = wrapForRelease(kek.key, key.material, enc);
    // The inner header names the older algorithm whatever `enc` asks for, as in the recording.
    const keyHsm = {
      schema_version: '1.0',
      header: { kid: kek.kid, alg: 'dir', enc: DEFAULT_WRAP },
      ciphertext: ciphertext.toString('base64url'),
    };
    const released = {
      ...bundle,
      key: { ...jwk, key_hsm: Buffer.from(JSON.stringify(keyHsm)).toString('base64url') },
    };
    this.records.push({ kid, released: true, trace: decision.trace });
    return this.sign({
      request: { 'api-version': apiVersion, enc, kid, ...(nonce === undefined ? {} : { nonce }) },
      response: { key: released },
    });
  }

  private sign(payload: JsonObject): string {
    const [leaf = Buffer.alloc(0)] = this.tls.chainDer;
    const header = {
      alg: 'RS256',
      typ: 'JWT',
      kid: createHash('sha1').update(leaf).digest('hex').toUpperCase(),
      x5t: createHash('sha1').update(leaf).digest('base64url'),
      'x5t#S256': createHash('sha256').update(leaf).digest('base64url'),
      x5c: this.tls.chainDer.map((der) => der.toString('base64')),
    };
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${encode(header)}.${encode(payload)}`;
    return `${input}.${createSign('sha256').update(input).sign(this.signingKey).toString('base64url')}`;
  }
}
