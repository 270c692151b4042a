import { type KeyObject, createPublicKey, hash, sign, verify } from 'node:crypto';
import { decodeBase64, decodeBase64Exactly } from './base64.js';
import { TransparencyError } from './error.js';

/** Signature types of C2SP signed-note that this library makes and checks. */
export const NOTE_ED25519 = 0x01;
export const NOTE_COSIGNATURE = 0x04;

const MAX_NOTE_BYTES = 1_000_000;
const MAX_SIGNATURES = 100;
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A key that verifies signature lines: name and id say which lines are its own. */
export interface NoteVerifier {
  readonly name: string;
  /** First four bytes of SHA-256(name || LF || type || public key), as 8 hex digits. */
  readonly keyId: string;
  readonly type: number;
  /** Whether `signature` (without the key id) is this key's over `text`. */
  verify(text: Buffer, signature: Buffer): boolean;
}

/** A key that makes signature lines. */
export interface NoteSigner {
  readonly name: string;
  readonly keyId: string;
  sign(text: Buffer): Buffer;
}

/** One signature line, not yet trusted. */
export interface NoteSignature {
  name: string;
  keyId: string;
  signature: Buffer;
}

/** A parsed note; `text` ends with a newline. Nothing in it may be used before {@link openNote} succeeded. */
export interface SignedNote {
  text: string;
  signatures: NoteSignature[];
}

/** Names are non-empty, without Unicode white space, plus signs or control characters. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 1024 && name.isWellFormed() && !/[\s\p{Cc}+]/u.test(name);
}

/** The 32 raw bytes of an Ed25519 public (or private) key. @throws TransparencyError KEY_MALFORMED */
export function rawEd25519(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== 'ed25519') throw new TransparencyError('KEY_MALFORMED', 'not an Ed25519 key');
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
}

/** @throws TransparencyError KEY_MALFORMED */
export function ed25519FromRaw(raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new TransparencyError('KEY_MALFORMED', 'an Ed25519 public key has 32 bytes');
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

/** Key id as 8 hex digits (C2SP signed-note, "Signatures"). */
export function noteKeyId(name: string, type: number, publicKey: Uint8Array): string {
  const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), publicKey]);
  return hash('sha256', input, 'buffer').toString('hex', 0, 4);
}

/** The verifier key in its text form: `name+hex(key id)+base64(type || public key)`. */
export function formatVerifierKey(name: string, key: KeyObject, type: number = NOTE_ED25519): string {
  if (!isKeyName(name))
    throw new TransparencyError('KEY_MALFORMED', 'a key name has no white space and no plus sign');
  const raw = rawEd25519(key);
  return `${name}+${noteKeyId(name, type, raw)}+${Buffer.concat([Buffer.from([type]), raw]).toString('base64')}`;
}

/**
 * Reads a verifier key. The type byte decides how lines are checked: 0x01 over the note text, 0x04 as a witness's
 * timestamped cosignature.
 * @throws TransparencyError KEY_MALFORMED
 */
export function parseVerifierKey(vkey: string): {
  name: string;
  keyId: string;
  type: number;
  publicKey: KeyObject;
} {
  const malformed = (why: string) => new TransparencyError('KEY_MALFORMED', `verifier key: ${why}`);
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey);
  if (!match || vkey.length > 2048) throw malformed('not of the form name+id+key');
  const [, name, keyId, encoded] = match as unknown as [string, string, string, string];
  if (!isKeyName(name)) throw malformed('bad name');
  const bytes = decodeBase64Exactly(encoded, 33);
  if (!bytes) throw malformed('the key is not canonical base64 of 33 bytes');
  const type = bytes[0]!;
  if (type !== NOTE_ED25519 && type !== NOTE_COSIGNATURE) throw malformed(`unknown key type ${type}`);
  if (noteKeyId(name, type, bytes.subarray(1)) !== keyId)
    throw malformed('the id is not that of name and key');
  return { name, keyId, type, publicKey: ed25519FromRaw(bytes.subarray(1)) };
}

/** A verifier of plain Ed25519 lines (type 0x01). */
export function ed25519Verifier(name: string, publicKey: KeyObject): NoteVerifier {
  return {
    name,
    keyId: noteKeyId(name, NOTE_ED25519, rawEd25519(publicKey)),
    type: NOTE_ED25519,
    verify: (text, signature) => signature.length === 64 && verify(null, text, publicKey, signature),
  };
}

/** A signer of plain Ed25519 lines (type 0x01). @throws TransparencyError KEY_MALFORMED */
export function ed25519Signer(name: string, privateKey: KeyObject): NoteSigner {
  if (!isKeyName(name))
    throw new TransparencyError('KEY_MALFORMED', 'a key name has no white space and no plus sign');
  return {
    name,
    keyId: noteKeyId(name, NOTE_ED25519, rawEd25519(privateKey)),
    sign: (text) => sign(null, text, privateKey),
  };
}

/** The signature line of a raw signature (without key id), with its newline. */
export function signatureLine(name: string, keyId: string, signature: Uint8Array): string {
  return `\u2014 ${name} ${Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64')}\n`;
}

/**
 * Signs `text`, which must end with a newline.
 * @throws TransparencyError NOTE_MALFORMED
 */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  if (!isNoteText(text))
    throw new TransparencyError('NOTE_MALFORMED', 'a note text ends with a newline, no controls');
  const bytes = Buffer.from(text);
  return `${text}\n${signers.map((s) => signatureLine(s.name, s.keyId, s.sign(bytes))).join('')}`;
}

/**
 * Splits a note into text and signature lines. Verifies nothing.
 * @throws TransparencyError NOTE_MALFORMED, NOTE_TOO_LARGE
 */
export function parseNote(note: string | Uint8Array): SignedNote {
  if (note.length > MAX_NOTE_BYTES)
    throw new TransparencyError('NOTE_TOO_LARGE', `a note has at most ${MAX_NOTE_BYTES} bytes`);
  const message = typeof note === 'string' ? note : decodeUtf8(note);
  const split = message.lastIndexOf('\n\n');
  if (split < 0) throw new TransparencyError('NOTE_MALFORMED', 'no blank line between text and signatures');
  const text = message.slice(0, split + 1);
  const tail = message.slice(split + 2);
  if (!isNoteText(text) || !isNoteText(tail)) {
    throw new TransparencyError('NOTE_MALFORMED', 'control characters, or no final newline');
  }
  const lines = tail.slice(0, -1).split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw new TransparencyError('NOTE_TOO_LARGE', `more than ${MAX_SIGNATURES} signatures`);
  return { text, signatures: lines.map(parseSignatureLine) };
}

/**
 * Parses a note and checks it: every line of a known key must verify, and at least one must be there. Lines of unknown
 * keys are ignored, repeated lines of one key count once (C2SP signed-note, "Signatures").
 * @throws TransparencyError NOTE_UNVERIFIED, NOTE_SIGNATURE_INVALID, NOTE_MALFORMED, NOTE_TOO_LARGE
 */
export function openNote(
  note: string | Uint8Array,
  verifiers: readonly NoteVerifier[],
): SignedNote & { verified: NoteSignature[] } {
  const parsed = parseNote(note);
  const text = Buffer.from(parsed.text);
  const verified = new Map<NoteVerifier, NoteSignature>();
  for (const line of parsed.signatures) {
    const verifier = verifiers.find(({ name, keyId }) => name === line.name && keyId === line.keyId);
    if (!verifier || verified.has(verifier)) continue;
    if (!verifier.verify(text, line.signature)) {
      throw new TransparencyError('NOTE_SIGNATURE_INVALID', `the signature of ${verifier.name} is invalid`);
    }
    verified.set(verifier, line);
  }
  if (verified.size === 0) throw new TransparencyError('NOTE_UNVERIFIED', 'no signature of a known key');
  return { ...parsed, verified: [...verified.values()] };
}

function parseSignatureLine(line: string): NoteSignature {
  const match = /^\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line);
  if (!match || !isKeyName(match[1]!)) throw new TransparencyError('NOTE_MALFORMED', 'bad signature line');
  const bytes = decodeBase64(match[2]!, 16_384);
  if (bytes.length < 5) throw new TransparencyError('NOTE_MALFORMED', 'a signature line is too short');
  return { name: match[1]!, keyId: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
}

/** Ends with a newline, and has no other ASCII control character below U+0020. */
function isNoteText(text: string): boolean {
  return text.endsWith('\n') && text.isWellFormed() && !/(?![\n\u007f-\u009f])\p{Cc}/u.test(text);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new TransparencyError('NOTE_MALFORMED', 'not valid UTF-8');
  }
}
