import { decodeBase64Exactly, parseDecimal } from './base64.js';
import { type Checkpoint, parseCheckpointText } from './checkpoint.js';
import { TransparencyError } from './error.js';
import { HASH_BYTES } from './hashing.js';
import { sameHash, verifyConsistency } from './proofs.js';
import { type NoteVerifier, openNote, parseNote } from './signed-note.js';
import type { TreeHead } from './tile-writer.js';

/** The longest request that a witness needs to read: 63 hashes and a checkpoint with its signatures. */
export const MAX_ADD_CHECKPOINT_BYTES = 65_536;
const MAX_PROOF_LINES = 63;

/** The body of `POST add-checkpoint` (C2SP tlog-witness). */
export interface AddCheckpoint {
  oldSize: number;
  proof: Buffer[];
  /** The signed note, verbatim. */
  note: string;
}

export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`;
}

/** @throws TransparencyError PROOF_MALFORMED */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const malformed = (why: string) => new TransparencyError('PROOF_MALFORMED', `add-checkpoint: ${why}`);
  if (body.length > MAX_ADD_CHECKPOINT_BYTES)
    throw malformed(`longer than ${MAX_ADD_CHECKPOINT_BYTES} characters`);
  const blank = body.indexOf('\n\n');
  if (blank < 0) throw malformed('no empty line before the checkpoint');
  const [first = '', ...lines] = body.slice(0, blank).split('\n');
  const oldSize = first.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : undefined;
  if (oldSize === undefined) throw malformed('the first line is not "old" and a size');
  if (lines.length > MAX_PROOF_LINES) throw malformed(`more than ${MAX_PROOF_LINES} hashes`);
  const proof = lines.map((line) => {
    const hash = decodeBase64Exactly(line, HASH_BYTES);
    if (!hash) throw malformed('a hash is not canonical base64 of 32 bytes');
    return hash;
  });
  return { oldSize, proof, note: body.slice(blank + 2) };
}

/**
 * What a witness answers: 200 with the checkpoint to record and then to cosign, or why not. `size` is what the body of a
 * 409 states.
 */
export type WitnessVerdict =
  | { status: 200; checkpoint: Checkpoint; text: string; note: string }
  | { status: 400 | 403 | 404 | 422; why: string }
  | { status: 409; size: number; why: string };

/**
 * Judges a request as C2SP tlog-witness asks, without any side effect: the caller records the checkpoint durably and
 * atomically with having asked for `latest`, and only then cosigns `text`.
 * @param keysOf the trusted keys of a log, by origin; none for a log that is not witnessed
 * @param latest the head cosigned last for an origin
 */
export function judgeCheckpoint(
  body: string,
  keysOf: (origin: string) => readonly NoteVerifier[],
  latest: (origin: string) => TreeHead | undefined,
): WitnessVerdict {
  let request: AddCheckpoint;
  let text: string;
  let checkpoint: Checkpoint;
  try {
    request = parseAddCheckpoint(body);
    ({ text } = parseNote(request.note));
    checkpoint = parseCheckpointText(text);
  } catch (error) {
    if (error instanceof TransparencyError) return { status: 400, why: error.message };
    throw error;
  }
  const { origin, size, root } = checkpoint;
  const keys = keysOf(origin);
  if (keys.length === 0) return { status: 404, why: 'this log is not witnessed here' };
  try {
    openNote(request.note, keys);
  } catch (error) {
    if (error instanceof TransparencyError) return { status: 403, why: error.message };
    throw error;
  }
  const { oldSize, proof, note } = request;
  if (oldSize > size) return { status: 400, why: 'the old size is above that of the checkpoint' };
  const known = latest(origin);
  const knownSize = known?.size ?? 0;
  if (oldSize !== knownSize) return { status: 409, size: knownSize, why: 'another size was cosigned last' };
  if (known && oldSize === size && !sameHash(known.root, root)) {
    return { status: 409, size: knownSize, why: 'another tree of this size was cosigned' };
  }
  try {
    // Nothing precedes the first checkpoint: it is taken as it is, and only its proof must be empty.
    if (known && known.size > 0) verifyConsistency(known.size, known.root, size, root, proof);
    else if (proof.length > 0) return { status: 422, why: 'from size 0 the proof must be empty' };
  } catch (error) {
    if (error instanceof TransparencyError) return { status: 422, why: error.message };
    throw error;
  }
  return { status: 200, checkpoint, text, note };
}
