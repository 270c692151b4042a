import { marblerun } from '#policy';
import { constants, createPublicKey, hash, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest } from '../interface.js';
import { keyIdOf, newSealingKey, type SealedMeta } from '../state/sealed-form.js';
import { combineShamir, splitShamir } from './shamir.js';

const KEY_BYTES = 32;
const MIN_RSA_BITS = 2_048;

/** A new sealing key, its shares encrypted to the recovery keys, and what is kept in the clear to recognise them. */
export interface RecoverySetup {
  readonly key: Buffer;
  readonly meta: SealedMeta;
  /** RSA-OAEP (SHA-256, no label) of each share, by the name of its recovery key. */
  readonly secrets: ReadonlyMap<string, Buffer>;
}

/**
 * One key: the sealing key itself. Several: XOR of as many random shares, or Shamir where fewer recover. Source: reference §1.5.
 * @throws CoordinatorError MANIFEST_INVALID
 */
export function setUpRecovery({
  recoveryKeys,
  config,
}: Pick<Manifest, 'recoveryKeys' | 'config'>): RecoverySetup {
  const keys = new Map([...recoveryKeys].map(([name, pem]) => [name, recoveryKey(pem)]));
  const key = newSealingKey();
  const { scheme, threshold, shares } = divide(key, keys.size, config.recoveryThreshold);
  const secrets = new Map<string, Buffer>();
  const names: Record<string, string> = {};
  for (const [at, [name, publicKey]] of [...keys].entries()) {
    const share = shares[at]!;
    secrets.set(
      name,
      publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, share),
    );
    names[hash('sha256', share, 'hex')] = name;
    if (scheme !== 'direct') share.fill(0);
  }
  const meta: SealedMeta = {
    v: 1,
    keyId: keyIdOf(key),
    scheme,
    threshold,
    shares: names,
    keys: Object.fromEntries(recoveryKeys),
  };
  return { key, meta, secrets };
}

/** The sealing key of all that were needed. @throws RangeError, for shares that are not of one kind */
export function combineShares(scheme: SealedMeta['scheme'], shares: readonly Buffer[]): Buffer {
  if (scheme === 'shamir') return combineShamir(shares);
  return shares.reduce((sum, share) => xor(sum, share), Buffer.alloc(KEY_BYTES));
}

function divide(key: Buffer, count: number, wanted: number) {
  if (count === 0) return { scheme: 'none', threshold: 0, shares: [] } as const;
  if (count === 1) return { scheme: 'direct', threshold: 1, shares: [key] } as const;
  if (wanted !== 0 && wanted < count)
    return { scheme: 'shamir', threshold: wanted, shares: splitShamir(key, count, wanted) } as const;
  const random = Array.from({ length: count - 1 }, () => randomBytes(KEY_BYTES));
  return { scheme: 'xor', threshold: count, shares: [...random, random.reduce(xor, key)] } as const;
}

function xor(a: Buffer, b: Buffer): Buffer {
  if (a.length !== b.length) throw new RangeError('shares of one length are needed');
  return Buffer.from(a.map((byte, at) => byte ^ b[at]!));
}

/** An RSA key of a recovery key's PEM. @throws CoordinatorError MANIFEST_INVALID */
export function recoveryKey(pem: string): KeyObject {
  const block = marblerun.firstPemBlock(pem);
  if (block?.label !== 'PUBLIC KEY') throw refused('given PEM data is not a public key');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: block.der, format: 'der', type: 'spki' });
  } catch {
    throw refused('given PEM data is not a public key');
  }
  if (key.asymmetricKeyType !== 'rsa') throw refused('recovery keys must be RSA keys');
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS)
    throw refused(`recovery keys must have ${MIN_RSA_BITS} bits`);
  return key;
}

const refused = (why: string): CoordinatorError =>
  new CoordinatorError('MANIFEST_INVALID', `generating recovery encryption key: ${why}`);
