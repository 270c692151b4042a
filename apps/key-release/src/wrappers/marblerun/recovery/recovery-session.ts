import { constants, generateKeyPair, hash, type KeyObject, privateDecrypt, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { CoordinatorError } from '../coordinator-error.js';
import type { SealedMeta } from '../state/sealed-form.js';
import { combineShares, recoveryKey } from './recovery-shares.js';

/** Lengths of secrets in the clear; everything else is taken as encrypted to the ephemeral key. Source: reference §1.5. */
const CLEAR_LENGTHS: ReadonlySet<number> = new Set([16, 32, 33]);
const EPHEMERAL_BITS = 4_096;
const newKeyPair = promisify(generateKeyPair);

export interface AcceptedShare {
  /** Name of the recovery key. */
  readonly name: string;
  /** As upstream counts it: what is missing, and with Shamir's scheme the number of keys minus those given. 0: complete. */
  readonly remaining: number;
  /** The sealing key, once complete. */
  readonly key: Buffer | undefined;
}

/**
 * One recovery under way. A secret counts only if it is one of the shares (by their hashes in the sealed state's meta) and comes with a
 * signature of the recovery key that it belongs to: whoever has neither can add nothing, so that nothing of his spoils the round.
 */
export class RecoverySession {
  private readonly given = new Map<string, Buffer>();
  private ephemeral: Promise<{ publicKey: KeyObject; privateKey: KeyObject }> | undefined;

  constructor(private readonly meta: SealedMeta) {}

  /** DER SubjectPublicKeyInfo of the key that secrets may be encrypted to; the same until the end of the session. */
  async ephemeralKey(): Promise<Buffer> {
    this.ephemeral ??= newKeyPair('rsa', { modulusLength: EPHEMERAL_BITS });
    return (await this.ephemeral).publicKey.export({ format: 'der', type: 'spki' });
  }

  /**
   * @param signature RSA PKCS #1 v1.5 with SHA-256 by the recovery key, over the secret in the clear
   * @throws CoordinatorError REQUEST_INVALID for what cannot be decrypted, RECOVERY_REFUSED otherwise
   */
  async add(secret: Buffer, signature: Buffer): Promise<AcceptedShare> {
    const share = CLEAR_LENGTHS.has(secret.length) ? secret : await this.decrypt(secret);
    const id = hash('sha256', share, 'hex');
    const name = Object.hasOwn(this.meta.shares, id) ? this.meta.shares[id] : undefined;
    if (name === undefined || this.given.has(id))
      throw refused('setting recovery key: uploaded an invalid or already used secret');
    const pem = Object.hasOwn(this.meta.keys, name) ? this.meta.keys[name] : undefined;
    if (pem === undefined || !verify('sha256', share, recoveryKey(pem), signature))
      throw refused(`no matching recovery key found for recovery public key ${JSON.stringify(name)}`);
    this.given.set(id, share);
    const { scheme, threshold, keys } = this.meta;
    if (this.given.size < threshold) {
      const of = scheme === 'shamir' ? Object.keys(keys).length : threshold;
      return { name, remaining: of - this.given.size, key: undefined };
    }
    const key = combineShares(scheme, [...this.given.values()]);
    return { name, remaining: 0, key };
  }

  /** Begins anew, as after a combination that opened nothing. */
  reset(): void {
    this.given.clear();
  }

  private async decrypt(secret: Buffer): Promise<Buffer> {
    if (this.ephemeral === undefined) throw undecryptable('ephemeral secret key not set');
    const { privateKey } = await this.ephemeral;
    try {
      return privateDecrypt(
        { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
        secret,
      );
    } catch {
      throw undecryptable('crypto/rsa: decryption error');
    }
  }
}

const undecryptable = (why: string): CoordinatorError =>
  new CoordinatorError('REQUEST_INVALID', `failed to decrypt recovery secret: ${why}`);
const refused = (why: string): CoordinatorError => new CoordinatorError('RECOVERY_REFUSED', why);
