import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type EntryPromise,
  MemoryTree,
  PromiseVerifier,
  TransparencyError,
  leafHash,
  promiseFromBatch,
  promiseStatement,
  signBatch,
  verifyPromise,
} from './index.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const log = 'siegel.example/default';
const keys = [{ origin: log, kid: 'k1', publicKey }];
const entries = (n: number) => Array.from({ length: n }, (_, i) => Buffer.from(`{"i":${i}}`));
const time = 1_795_000_000_123;

function promises(n: number, start: number): EntryPromise[] {
  const tree = new MemoryTree(entries(n).map((e) => leafHash(e)));
  const batch = signBatch({ log, start, time, kid: 'k1' }, tree, (bytes) => sign(null, bytes, privateKey));
  return Array.from({ length: n }, (_, i) => promiseFromBatch(batch, tree, start + i));
}

const codeOf = (promise: EntryPromise, entry: Buffer): string => {
  try {
    verifyPromise(promise, entry, keys);
    return 'kept';
  } catch (error) {
    if (error instanceof TransparencyError) return error.code;
    throw error;
  }
};

describe('batch promises', () => {
  it('hold for every entry of any batch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 0, max: 2 ** 50 }), (n, start) => {
        const verifier = new PromiseVerifier(keys);
        const all = entries(n);
        promises(n, start).forEach((promise, i) => verifier.verify(promise, all[i]!));
      }),
      { numRuns: 40 },
    );
  });

  it('cost one signature for the whole batch, however often they are checked', () => {
    const verifier = new PromiseVerifier(keys);
    const all = entries(5);
    const given = promises(5, 10);
    verifier.verify(given[0]!, all[0]!);
    // Same batch, but the remembered statement must not excuse a changed one.
    expect(() => verifier.verify({ ...given[1]!, time: time + 1 }, all[1]!)).toThrow(TransparencyError);
    for (let i = 0; i < 5; i++) verifier.verify(given[i]!, all[i]!);
  });

  it('forget old batches instead of growing', () => {
    const verifier = new PromiseVerifier(keys, 2);
    for (let start = 0; start < 5; start++) verifier.verify(promises(1, start)[0]!, entries(1)[0]!);
    verifier.verify(promises(1, 0)[0]!, entries(1)[0]!);
  });

  const [a, b] = promises(3, 7);
  const [first, second] = entries(3);
  const at = (change: Partial<EntryPromise>): EntryPromise => ({ ...a!, ...change });
  it.each([
    ['for another entry', a!, second!, 'PROMISE_INVALID'],
    ['with another time', at({ time: time + 1 }), first!, 'PROMISE_INVALID'],
    ['with another index', at({ index: 8 }), first!, 'PROMISE_INVALID'],
    ['with an index outside the batch', at({ index: 10 }), first!, 'PROMISE_MALFORMED'],
    ['with an index before the batch', at({ index: 6 }), first!, 'PROMISE_MALFORMED'],
    [
      'moved to another place of the log',
      at({ index: 8, batch: { ...a!.batch, start: 8 } }),
      first!,
      'PROMISE_INVALID',
    ],
    ['of another log', at({ log: 'siegel.example/other' }), first!, 'PROMISE_KEY_UNKNOWN'],
    ['of an unknown key', at({ kid: 'k2' }), first!, 'PROMISE_KEY_UNKNOWN'],
    ['with the path of a neighbour', at({ path: b!.path }), first!, 'PROMISE_INVALID'],
    ['with a short path', at({ path: a!.path.slice(1) }), first!, 'PROMISE_MALFORMED'],
    ['with a long path', at({ path: [...a!.path, a!.leafHash] }), first!, 'PROMISE_MALFORMED'],
    ['with an upper-case hash', at({ leafHash: a!.leafHash.toUpperCase() }), first!, 'PROMISE_MALFORMED'],
    ['with a padded signature', at({ signature: `${a!.signature}==` }), first!, 'PROMISE_MALFORMED'],
    ['with a cut signature', at({ signature: a!.signature.slice(2) }), first!, 'PROMISE_MALFORMED'],
    [
      'with a zero signature',
      at({ signature: Buffer.alloc(64).toString('base64url') }),
      first!,
      'PROMISE_INVALID',
    ],
    ['with an empty batch', at({ batch: { ...a!.batch, size: 0 } }), first!, 'PROMISE_MALFORMED'],
  ] as const)('are refused %s', (_, promise, entry, code) => {
    expect(codeOf(a!, first!)).toBe('kept');
    expect(codeOf(promise, entry)).toBe(code);
  });

  it('sign these exact bytes', () => {
    const root = Buffer.alloc(32, 0xab);
    expect(promiseStatement({ log, start: 7, size: 3, root, time }).toString()).toBe(
      `siegel-log-promise/v1\nsiegel.example/default\n7\n3\n${'ab'.repeat(32)}\n1795000000123\n`,
    );
  });

  it('are not given for an empty batch', () => {
    expect(() =>
      signBatch({ log, start: 0, time, kid: 'k1' }, new MemoryTree([]), () => Buffer.alloc(64)),
    ).toThrow(TransparencyError);
  });
});
