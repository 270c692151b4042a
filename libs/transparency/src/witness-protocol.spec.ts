import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import {
  EMPTY_ROOT,
  MemoryTree,
  checkReceipt,
  ed25519Signer,
  ed25519Verifier,
  formatAddCheckpoint,
  formatTlogProof,
  judgeCheckpoint,
  leafHash,
  parseAddCheckpoint,
  promiseFromBatch,
  signBatch,
  signCheckpoint,
  TransparencyError,
} from './index.js';
import { sign } from 'node:crypto';

const origin = 'log.test/a';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const verifier = ed25519Verifier(origin, publicKey);
const leaves = Array.from({ length: 7 }, (_, i) => leafHash(Buffer.from(String(i))));
const tree = new MemoryTree(leaves);
const note = signCheckpoint({ origin, size: 7, root: tree.root(), extensions: [] }, [
  ed25519Signer(origin, privateKey),
]);

describe('add-checkpoint', () => {
  it('is read as it is written', () => {
    const request = { oldSize: 3, proof: [EMPTY_ROOT, EMPTY_ROOT], note };
    expect(parseAddCheckpoint(formatAddCheckpoint(request))).toEqual(request);
  });

  it('is judged for any bytes, and nothing but a valid request is to be cosigned', () => {
    const body = formatAddCheckpoint({ oldSize: 0, proof: [], note });
    const judge = (text: string) =>
      judgeCheckpoint(
        text,
        () => [verifier],
        () => undefined,
      ).status;
    expect(judge(body)).toBe(200);
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.string({ unit: 'binary', maxLength: 4 }), (at, insert) => {
        const changed = body.slice(0, at) + insert + body.slice(at + 1);
        if (changed === body) return;
        // The signature part of a note has spellings beside ours (further lines of unknown keys); the text has none.
        const textEnd = body.length - note.length + note.indexOf('\n\n');
        if (at < textEnd) expect(judge(changed)).not.toBe(200);
        else expect([200, 400, 403]).toContain(judge(changed));
      }),
    );
  });
});

describe('checkReceipt', () => {
  const receipt = (index: number): string =>
    formatTlogProof({ index, hashes: tree.path(index), checkpoint: note });
  const promiseKey = { origin, kid: 'k', publicKey };
  const trust = { origin, log: verifier, promiseKey };
  const promise = (start: number, index: number) => {
    const batch = new MemoryTree(leaves.slice(2, 4));
    const signed = signBatch({ log: origin, start, time: 1, kid: 'k' }, batch, (statement) =>
      sign(null, statement, privateKey),
    );
    return promiseFromBatch(signed, batch, index);
  };
  const codeOf = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      if (error instanceof TransparencyError) return error.code;
      throw error;
    }
    return 'accepted';
  };

  it('holds the log to its promise', () => {
    const about = { leaf: leaves[3]!, promise: promise(2, 3) };
    expect(checkReceipt(receipt(3), about, trust)).toMatchObject({ index: 3, checkpoint: { size: 7 } });
    // The same entry was promised another place.
    const moved = { leaf: leaves[3]!, promise: promise(5, 6) };
    expect(codeOf(() => checkReceipt(receipt(3), moved, trust))).toBe('PROMISE_BROKEN');
  });

  it('refuses another entry, a promise of another key, and too few witnesses', () => {
    expect(codeOf(() => checkReceipt(receipt(3), { leaf: leaves[4]! }, trust))).toBe('PROOF_INVALID');
    const other = { ...promise(2, 3), kid: 'x' };
    expect(codeOf(() => checkReceipt(receipt(3), { leaf: leaves[3]!, promise: other }, trust))).toBe(
      'PROMISE_KEY_UNKNOWN',
    );
    expect(codeOf(() => checkReceipt(receipt(3), { leaf: leaves[3]! }, { ...trust, minWitnesses: 1 }))).toBe(
      'NOTE_UNVERIFIED',
    );
  });
});
