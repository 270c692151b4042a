import { decodeBase64Exactly, parseDecimal } from './base64.js';
import { TransparencyError } from './error.js';
import { EMPTY_ROOT, HASH_BYTES } from './hashing.js';
import { sameHash } from './proofs.js';
import {
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  openNote,
  parseNote,
  signNote,
} from './signed-note.js';

/**
 * A log's tree head (C2SP tlog-checkpoint). Two checkpoints are the same if origin, size and root are; never compare
 * the bytes of the note, whose signature part has many valid spellings.
 */
export interface Checkpoint {
  origin: string;
  size: number;
  root: Buffer;
  extensions: string[];
}

/** The text that is signed, ending with a newline. @throws TransparencyError CHECKPOINT_MALFORMED */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  const text = `${[origin, String(size), root.toString('base64'), ...extensions].join('\n')}\n`;
  parseCheckpointText(text);
  return text;
}

/** Reads the signed text. @throws TransparencyError CHECKPOINT_MALFORMED */
export function parseCheckpointText(text: string): Checkpoint {
  const malformed = (why: string) => new TransparencyError('CHECKPOINT_MALFORMED', `checkpoint: ${why}`);
  if (!text.endsWith('\n')) throw malformed('no final newline');
  const [origin, sizeLine, rootLine, ...extensions] = text.slice(0, -1).split('\n');
  if (!origin || sizeLine === undefined || rootLine === undefined) throw malformed('fewer than three lines');
  if (extensions.some((line) => line === '')) throw malformed('an empty extension line');
  const size = parseDecimal(sizeLine);
  if (size === undefined) throw malformed('the size is not a decimal below 2^53');
  const root = decodeBase64Exactly(rootLine, HASH_BYTES);
  if (!root) throw malformed('the root is not canonical base64 of 32 bytes');
  if (size === 0 && !sameHash(root, EMPTY_ROOT)) throw malformed('the root is not that of an empty tree');
  return { origin, size, root, extensions };
}

/** Signs a checkpoint: the complete note. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  return signNote(formatCheckpoint(checkpoint), signers);
}

/** A checkpoint whose log signature and cosignatures were checked. */
export interface VerifiedCheckpoint extends Checkpoint {
  /** The verified lines: the log's (of each of its keys that signed), then those of the witnesses that are known and signed. */
  signatures: NoteSignature[];
  witnesses: string[];
}

/**
 * Opens a checkpoint note of the log `origin`: the log's own signature must be there and hold; a line of a known
 * witness that is there must hold. A log that changes its key has several, of which one must have signed; a line of any that is there
 * must hold.
 * @throws TransparencyError NOTE_UNVERIFIED if the log's signature is missing, CHECKPOINT_ORIGIN_MISMATCH,
 * NOTE_SIGNATURE_INVALID, NOTE_MALFORMED, NOTE_TOO_LARGE, CHECKPOINT_MALFORMED
 */
export function openCheckpoint(
  note: string | Uint8Array,
  origin: string,
  log: NoteVerifier | readonly NoteVerifier[],
  witnesses: readonly NoteVerifier[] = [],
): VerifiedCheckpoint {
  const logs = [log].flat();
  const { text, verified } = openNote(note, [...logs, ...witnesses]);
  const own = verified.filter((line) =>
    logs.some(({ name, keyId }) => line.name === name && line.keyId === keyId),
  );
  if (own.length === 0) throw new TransparencyError('NOTE_UNVERIFIED', 'no signature of the log itself');
  const checkpoint = parseCheckpointText(text);
  if (checkpoint.origin !== origin) {
    throw new TransparencyError(
      'CHECKPOINT_ORIGIN_MISMATCH',
      `this checkpoint is of the log ${checkpoint.origin}`,
    );
  }
  const others = verified.filter((line) => !own.includes(line));
  return { ...checkpoint, signatures: [...own, ...others], witnesses: others.map(({ name }) => name) };
}

/** The checkpoint inside a note, unverified: to find out which log's key is needed. */
export function peekCheckpoint(note: string | Uint8Array): Checkpoint {
  return parseCheckpointText(parseNote(note).text);
}
