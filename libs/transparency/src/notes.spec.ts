import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  EMPTY_ROOT,
  MemoryTree,
  TransparencyError,
  cosign,
  cosignatureTime,
  cosignatureVerifier,
  decodeBase64,
  ed25519Signer,
  ed25519Verifier,
  formatCheckpoint,
  formatTlogProof,
  formatVerifierKey,
  leafHash,
  openCheckpoint,
  openNote,
  parseCheckpointText,
  parseNote,
  parseTlogProof,
  parseVerifierKey,
  peekCheckpoint,
  signCheckpoint,
  signNote,
  verifyTlogProof,
} from './index.js';

const origin = 'siegel.example/default';
const key = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const witnessKey = generateKeyPairSync('ed25519');
const signer = ed25519Signer(origin, key.privateKey);
const verifier = ed25519Verifier(origin, key.publicKey);
const witness = cosignatureVerifier('witness.example/w1', witnessKey.publicKey);
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof TransparencyError) return error.code;
    throw error;
  }
  return 'accepted';
};

describe('the example note of the specification', () => {
  const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
  it('verifies with its published key and not when changed', () => {
    const { name, publicKey, keyId } = parseVerifierKey(vkey);
    expect(keyId).toBe('c74f20a3');
    const peter = ed25519Verifier(name, publicKey);
    expect(openNote(note, [peter]).text).toBe(text);
    expect(formatVerifierKey(name, publicKey)).toBe(vkey);
    expect(codeOf(() => openNote(note.replace('answer', 'Answer'), [peter]))).toBe('NOTE_SIGNATURE_INVALID');
  });
});

describe('signed notes', () => {
  it('open with the key that signed them, from text or bytes', () => {
    const note = signNote('one\n\ntwo ü\n', [signer]);
    expect(openNote(note, [verifier]).text).toBe('one\n\ntwo ü\n');
    expect(openNote(Buffer.from(note), [verifier]).verified).toHaveLength(1);
  });

  it('ignore lines of unknown keys but not bad ones of known keys', () => {
    const stranger = ed25519Signer(origin, other.privateKey);
    expect(openNote(signNote('t\n', [stranger, signer]), [verifier]).verified).toHaveLength(1);
    expect(codeOf(() => openNote(signNote('t\n', [stranger]), [verifier]))).toBe('NOTE_UNVERIFIED');
    const lying = { ...signer, sign: () => Buffer.alloc(64) };
    expect(codeOf(() => openNote(signNote('t\n', [lying]), [verifier]))).toBe('NOTE_SIGNATURE_INVALID');
    expect(openNote(signNote('t\n', [signer, lying]), [verifier]).verified).toHaveLength(1);
  });

  it.each([
    ['no signatures', 't\n\n'],
    ['no blank line', 't\n— a AAAAAAA=\n'],
    ['carriage return', 't\r\n\n— a AAAAAAA=\n'],
    ['no final newline', 't\n\n— a AAAAAAA='],
    ['hyphen for dash', 't\n\n- a AAAAAAA=\n'],
    ['plus in name', 't\n\n— a+b AAAAAAA=\n'],
    ['no-break space in name', 't\n\n— a\u00a0b AAAAAAA=\n'],
    ['only a key id', 't\n\n— a AAAAAA==\n'],
    ['invalid UTF-8', Buffer.from([0x74, 0xff, 0x0a, 0x0a])],
  ])('refuse %s', (_, note) => {
    expect(codeOf(() => parseNote(note))).toBe('NOTE_MALFORMED');
  });

  it('refuse other spellings of the same base64', () => {
    const note = signNote('t\n', [signer]);
    expect(codeOf(() => parseNote(note.replace(/=?\n$/, '\n')))).not.toBe('accepted');
    for (const text of ['RQB=', 'RQA', 'RQ==\n', 'R Q==', 'RQ-_', '====']) {
      expect(codeOf(() => decodeBase64(text))).toBe('BASE64_MALFORMED');
    }
    expect(decodeBase64('RQA=')).toEqual(Buffer.from([0x45, 0]));
  });

  it('are bounded', () => {
    expect(codeOf(() => parseNote(`t\n\n${'— a AAAAAAA=\n'.repeat(101)}`))).toBe('NOTE_TOO_LARGE');
    expect(codeOf(() => parseNote('x'.repeat(1_000_001)))).toBe('NOTE_TOO_LARGE');
  });

  it('never fail but with a typed error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array()), (input) => {
        expect(codeOf(() => openNote(input, [verifier]))).toMatch(/^NOTE_|^BASE64_/);
      }),
    );
  });
});

describe('verifier keys', () => {
  const vkey = formatVerifierKey(origin, key.publicKey);
  it('round-trip', () => expect(parseVerifierKey(vkey).publicKey.equals(key.publicKey)).toBe(true));
  it.each([
    ['another name', vkey.replace('default', 'other')],
    ['another id', vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['upper-case id', vkey.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase() + 'X')],
    ['cut key', vkey.slice(0, -4)],
    ['empty', ''],
  ])('are refused with %s', (_, text) => expect(codeOf(() => parseVerifierKey(text))).toBe('KEY_MALFORMED'));
});

describe('checkpoints', () => {
  const root = leafHash(Buffer.from('x'));
  const checkpoint = { origin, size: 1, root, extensions: [] };
  it('round-trip', () => {
    const note = signCheckpoint(checkpoint, [signer]);
    expect(openCheckpoint(note, origin, verifier)).toMatchObject(checkpoint);
    expect(peekCheckpoint(note)).toEqual(checkpoint);
  });

  it('count witnesses that are known and verify their time', () => {
    const note = signCheckpoint(checkpoint, [signer]);
    const at = new Date('2026-01-02T03:04:05Z');
    const cosigned = note + cosign(witness.name, witnessKey.privateKey, formatCheckpoint(checkpoint), at);
    const opened = openCheckpoint(cosigned, origin, verifier, [witness]);
    expect(opened.witnesses).toEqual([witness.name]);
    expect(cosignatureTime(opened.signatures[1]!.signature)).toEqual(at);
    expect(openCheckpoint(cosigned, origin, verifier).witnesses).toEqual([]);
    const lying = note + cosign(witness.name, witnessKey.privateKey, 'other text\n', at);
    expect(codeOf(() => openCheckpoint(lying, origin, verifier, [witness]))).toBe('NOTE_SIGNATURE_INVALID');
    const alone = `${formatCheckpoint(checkpoint)}\n${cosign(witness.name, witnessKey.privateKey, formatCheckpoint(checkpoint), at)}`;
    expect(codeOf(() => openCheckpoint(alone, origin, verifier, [witness]))).toBe('NOTE_UNVERIFIED');
  });

  it('of another log are refused', () => {
    const note = signCheckpoint({ ...checkpoint, origin: 'siegel.example/other' }, [signer]);
    expect(codeOf(() => openCheckpoint(note, origin, verifier))).toBe('CHECKPOINT_ORIGIN_MISMATCH');
  });

  const b64 = root.toString('base64');
  it.each([
    `${origin}\n01\n${b64}\n`,
    `${origin}\n-1\n${b64}\n`,
    `${origin}\n1e3\n${b64}\n`,
    `${origin}\n99999999999999999999\n${b64}\n`,
    `${origin}\n9007199254740993\n${b64}\n`,
    `${origin}\n1\n${b64.slice(0, -4)}\n`,
    `${origin}\n1\n${b64.slice(0, -2)}B=\n`,
    `\n1\n${b64}\n`,
    `${origin}\n1\n`,
    `${origin}\n1\n${b64}`,
    `${origin}\n1\n${b64}\n\nx\n`,
    `${origin}\n0\n${b64}\n`,
  ])('refuse the text %j', (text) =>
    expect(codeOf(() => parseCheckpointText(text))).toBe('CHECKPOINT_MALFORMED'),
  );

  it('allow the empty tree and extensions', () => {
    const empty = { origin, size: 0, root: EMPTY_ROOT, extensions: ['ext 1'] };
    expect(parseCheckpointText(formatCheckpoint(empty))).toEqual(empty);
  });
});

describe('receipts (.tlog-proof)', () => {
  const entries = Array.from({ length: 11 }, (_, i) => Buffer.from(`entry ${i}`));
  const tree = new MemoryTree(entries.map((e) => leafHash(e)));
  const note = signCheckpoint({ origin, size: 11, root: tree.root(), extensions: [] }, [signer]);
  const receipt = formatTlogProof({ index: 6, hashes: tree.path(6), checkpoint: note });
  const trust = { origin, log: verifier };

  it('verify offline, with and without extra data', () => {
    expect(verifyTlogProof(receipt, leafHash(entries[6]!), trust)).toMatchObject({
      index: 6,
      checkpoint: { size: 11 },
    });
    const extra = Buffer.from('context');
    const withExtra = formatTlogProof({ index: 6, hashes: tree.path(6), checkpoint: note, extra });
    expect(parseTlogProof(withExtra).extra).toEqual(extra);
    expect(verifyTlogProof(withExtra, leafHash(entries[6]!), trust).index).toBe(6);
  });

  it('are refused for another entry, index, key, or too few witnesses', () => {
    expect(codeOf(() => verifyTlogProof(receipt, leafHash(entries[5]!), trust))).toBe('PROOF_INVALID');
    const moved = receipt.replace('index 6', 'index 5');
    expect(codeOf(() => verifyTlogProof(moved, leafHash(entries[6]!), trust))).toBe('PROOF_INVALID');
    const stranger = { origin, log: ed25519Verifier(origin, other.publicKey) };
    expect(codeOf(() => verifyTlogProof(receipt, leafHash(entries[6]!), stranger))).toBe('NOTE_UNVERIFIED');
    const demanding = { ...trust, witnesses: [witness], minWitnesses: 1 };
    expect(codeOf(() => verifyTlogProof(receipt, leafHash(entries[6]!), demanding))).toBe('NOTE_UNVERIFIED');
  });

  it.each([
    receipt.replace('@v1', '@v2'),
    receipt.replace('index 6', 'index 06'),
    receipt.replace('index 6\n', ''),
    receipt.replace('=\n', '\n'),
    '',
  ])('are refused when malformed (%#)', (text) =>
    expect(codeOf(() => parseTlogProof(text))).toBe('PROOF_MALFORMED'),
  );
});
