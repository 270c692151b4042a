import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import { z } from 'zod';

const NONCE = 12;
const TAG = 16;
const KEY = 32;
const KEY_MAGIC = Buffer.from('SIEGEL-MARBLERUN-KEY-1\n', 'latin1');
const MAX_META_BYTES = 1024 * 1024;

/**
 * What stands in the clear before the sealed state, authenticated by its seal: which key sealed it, and what a recovery needs before
 * it can be opened. Only public keys and SHA-256 of random shares.
 */
export const SealedMeta = z.strictObject({
  v: z.literal(1),
  /** SHA-256 (hex) of the sealing key. */
  keyId: z.string().regex(/^[0-9a-f]{64}$/),
  scheme: z.enum(['none', 'direct', 'xor', 'shamir']),
  /** Shares that recover. */
  threshold: z.number().int().min(0).max(255),
  /** Name of the recovery key by the SHA-256 (hex) of its share. */
  shares: z.record(z.string().regex(/^[0-9a-f]{64}$/), z.string().max(1_024)),
  /** PEM of the recovery keys by name. */
  keys: z.record(z.string().max(1_024), z.string().max(16_384)),
});
export type SealedMeta = z.infer<typeof SealedMeta>;

/** Sealed bytes that are not ours, not whole, or of another key. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

export const keyIdOf = (key: Uint8Array): string => hash('sha256', key, 'hex');
export const newSealingKey = (): Buffer => randomBytes(KEY);

/** `uint32le(len(meta)) ‖ meta ‖ nonce(12) ‖ AES-256-GCM`, the form of upstream's sealed_data; meta is authenticated. */
export function sealState(key: Buffer, meta: SealedMeta, state: Uint8Array): Buffer {
  const clear = Buffer.from(JSON.stringify(meta), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(clear.length);
  return Buffer.concat([length, clear, encrypt(key, clear, state)]);
}

/** The part in the clear, not yet authenticated. @throws SealError */
export function readMeta(sealed: Buffer): { meta: SealedMeta; clear: Buffer; box: Buffer } {
  try {
    const length = sealed.readUInt32LE(0);
    if (length > MAX_META_BYTES || 4 + length + NONCE + TAG > sealed.length) throw new SealError('cut off');
    const clear = sealed.subarray(4, 4 + length);
    return {
      meta: SealedMeta.parse(JSON.parse(clear.toString('utf8'))),
      clear,
      box: sealed.subarray(4 + length),
    };
  } catch (cause) {
    throw new SealError('sealed_data is not a sealed state', { cause });
  }
}

/** @throws SealError */
export function openState(key: Buffer, sealed: Buffer): { meta: SealedMeta; state: Buffer } {
  const { meta, clear, box } = readMeta(sealed);
  if (meta.keyId !== keyIdOf(key)) throw new SealError('sealed_data is sealed with another key');
  return { meta, state: decrypt(key, clear, box) };
}

/**
 * The sealing keys wrapped for this deployment: the one in force, and during a change of keys the one before it. Which of them opens the
 * state is in its meta, so that a crash between two files loses nothing.
 */
export function wrapKeys(wrapping: Buffer, deployment: string, keys: readonly Buffer[]): Buffer {
  return Buffer.concat([KEY_MAGIC, encrypt(wrapping, contextOf(deployment), Buffer.concat(keys))]);
}

/** @throws SealError */
export function unwrapKeys(wrapping: Buffer, deployment: string, file: Buffer): Buffer[] {
  if (!file.subarray(0, KEY_MAGIC.length).equals(KEY_MAGIC))
    throw new SealError('sealed_key is not of this kind');
  const keys = decrypt(wrapping, contextOf(deployment), file.subarray(KEY_MAGIC.length));
  if (keys.length === 0 || keys.length % KEY !== 0) throw new SealError('sealed_key has no key');
  return Array.from({ length: keys.length / KEY }, (_, at) => keys.subarray(at * KEY, (at + 1) * KEY));
}

const contextOf = (deployment: string): Buffer =>
  Buffer.from(`siegel-marblerun-sealed-key:${deployment}`, 'utf8');

function encrypt(key: Buffer, context: Buffer, clear: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context);
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, context: Buffer, box: Buffer): Buffer {
  if (box.length < NONCE + TAG) throw new SealError('cut off');
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE), { authTagLength: TAG })
    .setAAD(context)
    .setAuthTag(box.subarray(box.length - TAG));
  try {
    return Buffer.concat([decipher.update(box.subarray(NONCE, box.length - TAG)), decipher.final()]);
  } catch (cause) {
    throw new SealError('the seal does not hold', { cause });
  }
}
