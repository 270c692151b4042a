import { RefusalAllowance } from '#platform';
import { SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { type AttestationToken, isPkiError } from '#pki';
import { evaluateReleasePolicy, type ReleaseTrace } from '#policy';
import { isVaultError, type SecretValue, type VaultRegistry } from '#vault';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { hash } from 'node:crypto';
import { AUDIT_EMITTER } from '../../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { refusalOf } from '../../pipeline/vault-refusals.js';
import { VAULTS } from '../../vaults/vaults.token.js';
import { AkvError } from './akv-error.js';
import { KeyDirectory } from './key-directory.js';
import { KeyMaterialError, readKeyMaterial, type KeyMaterial } from './key-material.js';
import { type Wrapping, wrapKey } from './key-wrap.js';
import type { ReleasableKey, TenantKeys } from './keys-file.js';
import { traceRecords } from './policy-conditions.js';
import { ReleaseSigner } from './release-signer.js';
import { wrappingKeyOf, type WrappingKey } from './wrapping-key.js';

export const AKV_PROTOCOL = 'akv-release';
const REFUSALS_PER_SECOND = 100;

export interface KeyReleaseInput {
  readonly tenant: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly apiVersion: string;
  /** The attestation token. */
  readonly target: string;
  readonly nonce: string | undefined;
  readonly wrapping: Wrapping;
}

/** What is known of a request when it is refused. */
interface Findings {
  token?: AttestationToken;
  trace?: ReleaseTrace;
}

/** Why a release is refused; for the log, never for the caller. */
class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Secure Key Release in Key Vault's protocol, over keys that lie as secrets in our vaults: the token is verified with the pinned keys of
 * its issuer, the release policy evaluated, the key wrapped to the attested party, and the event logged before the answer leaves.
 */
@Injectable()
export class KeyReleaseService {
  private readonly log = new Logger('akv-release');
  private readonly allowance = new RefusalAllowance(REFUSALS_PER_SECOND);

  constructor(
    private readonly directory: KeyDirectory,
    private readonly signer: ReleaseSigner,
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** The compact JWS of the answer. @throws AkvError, SiegelError */
  async release(input: KeyReleaseInput): Promise<string> {
    const tenant = this.directory.tenant(input.tenant);
    const key = tenant?.keys.get(input.name.toLowerCase());
    if (!tenant || !key) throw AkvError.keyNotFound(input.name);
    if (input.version !== undefined && key.objectVersion !== undefined && input.version !== key.objectVersion)
      throw AkvError.keyNotFound(`${input.name}/${input.version}`);
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const findings: Findings = {};
    try {
      return await this.decide(input, tenant, key, findings);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.logRefusal(input, key, findings, error);
      throw AkvError.forbidden();
    }
  }

  private async decide(
    input: KeyReleaseInput,
    tenant: TenantKeys,
    key: ReleasableKey,
    findings: Findings,
  ): Promise<string> {
    const token = await verified(input.target, tenant);
    findings.token = token;
    const decision = evaluateReleasePolicy(key.policy, token);
    findings.trace = decision.trace;
    if (decision.authority === undefined) throw new Refusal('POLICY_NOT_MET', unmet(decision.trace));
    const wrappingKey = wrappingKeyOf(token.claims);
    if (!wrappingKey) {
      throw new Refusal(
        'WRAPPING_KEY_MISSING',
        'the token names no RSA key for encryption (2048 to 4096 bits, with kid) in x-ms-runtime or held data',
      );
    }
    const secret = await this.readSecret(input, key);
    const material = usable(secret, key);
    try {
      const answer = await this.signer.sign(this.payload(input, key, secret, material, wrappingKey));
      await this.audit.record({
        tenant: input.tenant,
        type: 'key.released',
        outcome: 'granted',
        ...measurements(token),
        data: {
          ...this.common(input, key, findings),
          authority: decision.authority.slice(0, 512),
          vault: key.vault,
          objectName: key.objectName,
          version: secret.version,
          ...(secret.requestId === undefined ? {} : { requestId: secret.requestId }),
          wrappingKey: wrappingKey.key.thumbprint,
          wrapping: input.wrapping,
        },
      });
      return answer;
    } finally {
      material.bytes.fill(0);
      secret.value.fill(0);
    }
  }

  private async readSecret(input: KeyReleaseInput, key: ReleasableKey): Promise<SecretValue> {
    const objectVersion = input.version ?? key.objectVersion;
    try {
      return await this.vaults
        .get(key.vault)
        .getSecret(
          { objectName: key.objectName, ...(objectVersion === undefined ? {} : { objectVersion }) },
          { maxStaleSeconds: key.maxStaleSeconds },
        );
    } catch (error) {
      if (!isVaultError(error)) throw error;
      const refusal = refusalOf(error, `${key.vault}/${key.objectName}`);
      if (refusal.entry.http < 500)
        throw new Refusal(refusal.reason?.code ?? refusal.code, refusal.reason?.message ?? refusal.message);
      this.log.warn({
        msg: `vault "${key.vault}": ${error.message}`,
        vault: key.vault,
        code: error.code,
        remedy: error.remedy,
      });
      throw refusal;
    }
  }

  /** What Key Vault signs: the request, and the key's bundle with the wrapped material in `key_hsm`. */
  private payload(
    input: KeyReleaseInput,
    key: ReleasableKey,
    secret: SecretValue,
    material: KeyMaterial,
    wrappingKey: WrappingKey,
  ): object {
    const kid = `${this.environment.SIEGEL_PUBLIC_URL}/keys/${input.name}/${secret.version}`;
    const ciphertext = wrapKey(wrappingKey.key, material.bytes, input.wrapping);
    const keyHsm = {
      schema_version: '1.0',
      // The older name whatever was asked for, as Key Vault writes it; the request says which wrapping it is.
      header: { kid: wrappingKey.kid, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
      ciphertext: ciphertext.toString('base64url'),
    };
    const updated = seconds(secret.updatedOn);
    return {
      request: {
        'api-version': input.apiVersion,
        enc: input.wrapping,
        kid,
        ...(input.nonce === undefined ? {} : { nonce: input.nonce }),
      },
      response: {
        key: {
          key: {
            kid,
            // Clients expect of a key that can be released the type of a key in an HSM.
            kty: `${material.kty}-HSM`,
            key_ops: ['export'],
            ...material.publicMembers,
            key_hsm: Buffer.from(JSON.stringify(keyHsm)).toString('base64url'),
          },
          attributes: {
            enabled: true,
            ...(secret.notBefore === undefined ? {} : { nbf: seconds(secret.notBefore) }),
            ...(secret.expiresOn === undefined ? {} : { exp: seconds(secret.expiresOn) }),
            ...(updated === undefined ? {} : { created: updated, updated }),
            exportable: true,
          },
          release_policy: {
            contentType: 'application/json; charset=utf-8',
            data: Buffer.from(key.policyText).toString('base64url'),
            immutable: false,
          },
        },
      },
    };
  }

  private async logRefusal(
    input: KeyReleaseInput,
    key: ReleasableKey,
    findings: Findings,
    refusal: Refusal,
  ): Promise<void> {
    if (!this.allowance.take())
      throw new AkvError(429, 'Throttled', 'Too many requests were refused; try again.', {
        'retry-after': '1',
      });
    await this.audit.record({
      tenant: input.tenant,
      type: 'key.refused',
      outcome: 'denied',
      reason: { code: refusal.code.slice(0, 64), message: refusal.message.slice(0, 1_000) },
      ...measurements(findings.token),
      data: this.common(input, key, findings),
    });
  }

  private common(input: KeyReleaseInput, key: ReleasableKey, { token, trace }: Findings) {
    const { jti } = token?.claims ?? {};
    return {
      protocol: AKV_PROTOCOL,
      key: input.name,
      tokenSha256: hash('sha256', input.target, 'hex'),
      ...(token === undefined ? {} : { issuer: token.issuer.slice(0, 512) }),
      ...(typeof jti === 'string' ? { tokenId: jti.slice(0, 128) } : {}),
      policySha256: key.policySha256,
      conditions: trace === undefined ? [] : traceRecords(trace),
    };
  }
}

async function verified(target: string, tenant: TenantKeys): Promise<AttestationToken> {
  try {
    return await tenant.authorities.verify(target, {
      now: new Date(),
      maxAgeSeconds: tenant.maxTokenAgeSeconds,
    });
  } catch (error) {
    if (isPkiError(error)) throw new Refusal(error.code, error.message);
    throw error;
  }
}

function usable(secret: SecretValue, key: ReleasableKey): KeyMaterial {
  try {
    return readKeyMaterial(secret.value, key.format);
  } catch (error) {
    secret.value.fill(0);
    if (error instanceof KeyMaterialError)
      throw new Refusal('KEY_MATERIAL_INVALID', `${key.vault}/${key.objectName}: ${error.message}`);
    throw error;
  }
}

/** The failed conditions in one sentence. */
function unmet(trace: ReleaseTrace): string {
  const failed = traceRecords(trace)
    .filter(({ ok }) => !ok)
    .map(({ name, expected, actual }) => `${name}: expected ${expected}, is ${actual}`);
  return `no authority of the release policy is satisfied. ${failed.join('; ')}`;
}

/** The members of the envelope by which operators search. */
function measurements(token: AttestationToken | undefined): { mrenclave?: string; mrsigner?: string } {
  const hex = (name: string): string | undefined => {
    const value = token?.claims[name];
    return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : undefined;
  };
  const mrenclave = hex('x-ms-sgx-mrenclave') ?? hex('sgx-mrenclave');
  const mrsigner = hex('x-ms-sgx-mrsigner') ?? hex('sgx-mrsigner');
  return {
    ...(mrenclave === undefined ? {} : { mrenclave }),
    ...(mrsigner === undefined ? {} : { mrsigner }),
  };
}

const seconds = (date: Date | undefined): number | undefined =>
  date === undefined ? undefined : Math.floor(date.getTime() / 1000);
