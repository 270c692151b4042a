import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import type { CryptographyClient, KeyVaultKey } from '@azure/keyvault-keys';
import type { AzureCalls } from '../azure/azure-calls.js';
import { VaultError, type VaultErrorDetails } from '../errors.js';
import type { ReadGate } from '../reader/read-gate.js';

/** Public JWK of a vault's P-256 key. */
export interface VaultKeyJwk {
  kty: 'EC';
  crv: 'P-256';
  x: string;
  y: string;
  kid: string;
  alg: 'ES256';
  use: 'sig';
}

export interface KeyVaultSignerParts {
  readonly vault: string;
  readonly key: KeyVaultKey;
  readonly client: CryptographyClient;
  readonly calls: AzureCalls;
  readonly gate: ReadGate;
  readonly closing: AbortSignal;
}

/**
 * One version of a Key Vault key as an ES256 signer. The private key stays in the vault: what goes there is the SHA-256 of the data.
 * It has the shape of a signer of libs/pki without knowing it.
 */
export class KeyVaultSigner {
  readonly alg = 'ES256';
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** `https://<vault>/keys/<name>/<version>` */
  readonly keyId: string;
  readonly version: string;
  /** `x-ms-request-id` of the last signature, to be joined with the vault's own log. */
  lastRequestId: string | undefined;
  private readonly coordinates: { x: string; y: string };

  /** @throws VaultError KEY_OPERATION_REFUSED unless the key is on P-256 and may sign */
  constructor(private readonly parts: KeyVaultSignerParts) {
    const { key } = parts;
    const { kty, crv, x, y } = key.key ?? {};
    this.version = key.properties.version ?? '';
    this.keyId = key.id ?? '';
    if (!/^EC(-HSM)?$/.test(kty ?? '') || crv !== 'P-256' || x === undefined || y === undefined) {
      throw this.refused(`is ${kty ?? 'of no type'} ${crv ?? ''}; ES256 needs EC on P-256`);
    }
    if (key.keyOperations !== undefined && !key.keyOperations.includes('sign'))
      throw this.refused('has no "sign" in its key_ops');
    this.coordinates = { x: base64url(x), y: base64url(y) };
    try {
      this.publicKey = createPublicKey({
        key: { kty: 'EC', crv: 'P-256', ...this.coordinates },
        format: 'jwk',
      });
    } catch (error) {
      throw this.refused(`has a point that is not on P-256 (${(error as Error).message})`);
    }
    // RFC 7638 §3.2: the required members in lexicographic order.
    const canonical = `{"crv":"P-256","kty":"EC","x":"${this.coordinates.x}","y":"${this.coordinates.y}"}`;
    this.kid = hash('sha256', canonical, 'base64url');
  }

  /** The public half, as the vault told it. */
  get key(): KeyVaultKey {
    return this.parts.key;
  }

  jwk(): VaultKeyJwk {
    return { kty: 'EC', crv: 'P-256', ...this.coordinates, kid: this.kid, alg: 'ES256', use: 'sig' };
  }

  /**
   * r‖s, 64 octets. Waits for the budget and backs off after 429 like every request to the vault.
   * @throws VaultError
   */
  async sign(data: Uint8Array): Promise<Buffer> {
    const digest = hash('sha256', data, 'buffer');
    const { gate, calls, client, closing } = this.parts;
    const attempt = await gate.run(
      (signal) =>
        calls.run(`sign with "${this.parts.key.name}"`, this.details(), { signal }, (call) =>
          client.sign('ES256', digest, call),
        ),
      closing,
      { sent: () => undefined, failed: () => undefined },
    );
    const { value, requestId } = attempt.value;
    this.lastRequestId = requestId;
    const signature = Buffer.from(value.result);
    // A signature that does not verify would be found by everybody but us.
    if (signature.length !== 64 || !this.verifies(data, signature)) {
      throw new VaultError('VAULT_REFUSED', `the vault's signature does not verify under ${this.keyId}`, {
        ...this.details(),
        ...(requestId === undefined ? {} : { requestId }),
      });
    }
    return signature;
  }

  private verifies(data: Uint8Array, signature: Buffer): boolean {
    return verify('sha256', data, { key: this.publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  }

  private details(): VaultErrorDetails {
    const { vault, key } = this.parts;
    return { vault, objectName: key.name, objectVersion: this.version };
  }

  private refused(why: string): VaultError {
    const { key } = this.parts;
    return new VaultError('KEY_OPERATION_REFUSED', `key "${key.name}" ${why}`, this.details());
  }
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
