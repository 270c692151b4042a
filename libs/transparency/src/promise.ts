import { type KeyObject, hash, verify } from 'node:crypto';
import { TransparencyError } from './error.js';
import { HASH_BYTES, leafHash } from './hashing.js';
import { MemoryTree } from './memory-tree.js';
import { rootFromInclusion, sameHash } from './proofs.js';

/** Leaves that one batch may have; keeps a promise's path at 16 hashes. */
export const MAX_BATCH = 65_536;

/**
 * A log's signed promise that an entry is durably stored at `index` and will be in every later checkpoint (compare the
 * SCT of RFC 6962 section 3). One signature serves a whole group commit: `path` leads from the entry's leaf hash to
 * the RFC 6962 root over the leaf hashes `[start, start + size)` of the log.
 * Hashes are lower-case hex, `time` is in Unix milliseconds, `signature` is Ed25519 in base64url.
 */
export interface EntryPromise {
  log: string;
  index: number;
  time: number;
  leafHash: string;
  batch: { start: number; size: number; root: string };
  path: string[];
  kid: string;
  signature: string;
}

/** A key that the relying party trusts for one log. */
export interface PromiseKey {
  origin: string;
  kid: string;
  publicKey: KeyObject;
}

/** What one signature states about a group commit. */
export interface BatchStatement {
  log: string;
  start: number;
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** Unix time of the commit in milliseconds. */
  time: number;
}

/**
 * The bytes that are signed: five lines below a fixed first line, which no origin of a checkpoint may equal, so that a
 * promise's signature is never one of a checkpoint.
 */
export function promiseStatement({ log, start, size, root, time }: BatchStatement): Buffer {
  const hex = Buffer.from(root.buffer, root.byteOffset, root.byteLength).toString('hex');
  return Buffer.from(`siegel-log-promise/v1\n${log}\n${start}\n${size}\n${hex}\n${time}\n`);
}

/** The signed batch of one group commit, from which every entry's promise is cut. */
export interface SignedBatch extends BatchStatement {
  kid: string;
  /** 64 bytes. */
  signature: Uint8Array;
}

/**
 * Signs a group commit. `leaves` are the leaf hashes in log order.
 * @param signBytes Ed25519 over its argument, with the key that `kid` names
 * @throws TransparencyError INDEX_OUT_OF_RANGE for an empty or oversized batch
 */
export function signBatch(
  at: { log: string; start: number; time: number; kid: string },
  tree: MemoryTree,
  signBytes: (statement: Buffer) => Uint8Array,
): SignedBatch {
  if (tree.size < 1 || tree.size > MAX_BATCH) {
    throw new TransparencyError(
      'INDEX_OUT_OF_RANGE',
      `a batch has 1 to ${MAX_BATCH} leaves, not ${tree.size}`,
    );
  }
  const statement: BatchStatement = {
    log: at.log,
    start: at.start,
    size: tree.size,
    root: tree.root(),
    time: at.time,
  };
  return { ...statement, kid: at.kid, signature: signBytes(promiseStatement(statement)) };
}

/** The promise for the entry at `index` (counted in the log) of a signed batch whose leaf hashes are in `tree`. */
export function promiseFromBatch(batch: SignedBatch, tree: MemoryTree, index: number): EntryPromise {
  const within = index - batch.start;
  const path = tree.path(within);
  return {
    log: batch.log,
    index,
    time: batch.time,
    leafHash: tree.node({ level: 0, index: within }).toString('hex'),
    batch: { start: batch.start, size: batch.size, root: Buffer.from(batch.root).toString('hex') },
    path: path.map((sibling) => sibling.toString('hex')),
    kid: batch.kid,
    signature: Buffer.from(batch.signature).toString('base64url'),
  };
}

/**
 * Checks promises against the trusted log keys. One instance remembers the signatures it checked (at most
 * `maxBatches`, oldest forgotten first), as all promises of a group commit share one.
 */
export class PromiseVerifier {
  readonly #keys: ReadonlyMap<string, PromiseKey>;
  readonly #checked = new Set<string>();

  constructor(
    keys: readonly PromiseKey[],
    private readonly maxBatches = 1024,
  ) {
    this.#keys = new Map(keys.map((key) => [`${key.kid}\n${key.origin}`, key]));
  }

  /**
   * Checks that `promise` is the trusted log's for exactly this entry (the canonical event).
   * @throws TransparencyError PROMISE_KEY_UNKNOWN, PROMISE_MALFORMED, PROMISE_INVALID
   */
  verify(promise: EntryPromise, entry: Uint8Array): void {
    this.verifyLeaf(promise, leafHash(entry));
  }

  /** Like {@link verify}, for a caller that has the entry's leaf hash. */
  verifyLeaf(promise: EntryPromise, leaf: Uint8Array): void {
    const key = this.#keys.get(`${promise.kid}\n${promise.log}`);
    if (!key) throw new TransparencyError('PROMISE_KEY_UNKNOWN', 'no trusted key of this log has this id');
    const { start, size, root } = promise.batch;
    const rootBytes = hashFromHex(root);
    if (!isCount(start) || !isCount(promise.time) || !isCount(size) || size < 1 || size > MAX_BATCH) {
      throw new TransparencyError('PROMISE_MALFORMED', 'batch or time out of range');
    }
    if (!sameHash(hashFromHex(promise.leafHash), leaf)) {
      throw new TransparencyError('PROMISE_INVALID', 'the promise is for another entry');
    }
    const within = promise.index - start;
    if (!isCount(within) || within >= size) {
      throw new TransparencyError('PROMISE_MALFORMED', 'the index is not in the batch');
    }
    if (!sameHash(rootFromPath(leaf, within, size, promise.path), rootBytes)) {
      throw new TransparencyError('PROMISE_INVALID', 'the path does not lead to the root of the batch');
    }
    this.#checkSignature(promise, key, {
      log: promise.log,
      start,
      size,
      root: rootBytes,
      time: promise.time,
    });
  }

  #checkSignature(promise: EntryPromise, key: PromiseKey, batch: BatchStatement): void {
    const signature = Buffer.from(promise.signature, 'base64url');
    if (signature.length !== 64 || signature.toString('base64url') !== promise.signature) {
      throw new TransparencyError(
        'PROMISE_MALFORMED',
        'the signature is not canonical base64url of 64 bytes',
      );
    }
    const statement = promiseStatement(batch);
    const cacheKey = `${promise.kid}${hash('sha256', Buffer.concat([signature, statement]), 'base64')}`;
    if (this.#checked.has(cacheKey)) return;
    if (!verify(null, statement, key.publicKey, signature)) {
      throw new TransparencyError('PROMISE_INVALID', 'the signature of the promise is invalid');
    }
    if (this.#checked.size >= this.maxBatches) {
      for (const oldest of this.#checked) {
        this.#checked.delete(oldest);
        break;
      }
    }
    this.#checked.add(cacheKey);
  }
}

/** One-shot form of {@link PromiseVerifier.verify}. */
export function verifyPromise(promise: EntryPromise, entry: Uint8Array, keys: readonly PromiseKey[]): void {
  new PromiseVerifier(keys).verify(promise, entry);
}

function rootFromPath(leaf: Uint8Array, index: number, size: number, path: readonly string[]): Buffer {
  try {
    return rootFromInclusion(leaf, index, size, path.map(hashFromHex));
  } catch (error) {
    if (error instanceof TransparencyError && error.code === 'PROOF_MALFORMED') {
      throw new TransparencyError('PROMISE_MALFORMED', 'the path does not fit the batch');
    }
    throw error;
  }
}

function hashFromHex(text: string): Buffer {
  const bytes = Buffer.from(text, 'hex');
  if (bytes.length !== HASH_BYTES || bytes.toString('hex') !== text) {
    throw new TransparencyError('PROMISE_MALFORMED', 'a hash is not 32 bytes in lower-case hex');
  }
  return bytes;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
