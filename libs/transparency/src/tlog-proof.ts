import { decodeBase64, decodeBase64Exactly, parseDecimal } from './base64.js';
import { type VerifiedCheckpoint, openCheckpoint } from './checkpoint.js';
import { TransparencyError } from './error.js';
import { HASH_BYTES } from './hashing.js';
import { verifyInclusion } from './proofs.js';
import type { NoteVerifier } from './signed-note.js';

const HEADER = 'c2sp.org/tlog-proof@v1';
const MAX_PROOF_BYTES = 1_100_000;
const MAX_HASHES = 63;

/** A receipt: that an entry is at `index` of the log whose checkpoint note is enclosed (C2SP tlog-proof). */
export interface TlogProof {
  index: number;
  hashes: Buffer[];
  /** The signed checkpoint note, verbatim. */
  checkpoint: string;
  /** Not authenticated by anything. */
  extra?: Buffer;
}

/** The text of a `.tlog-proof` file. */
export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  const extraLine = extra ? `extra ${extra.toString('base64')}\n` : '';
  const path = hashes.map((hash) => `${hash.toString('base64')}\n`).join('');
  return `${HEADER}\n${extraLine}index ${index}\n${path}\n${checkpoint}`;
}

/** @throws TransparencyError PROOF_MALFORMED */
export function parseTlogProof(text: string): TlogProof {
  const malformed = (why: string) => new TransparencyError('PROOF_MALFORMED', `tlog-proof: ${why}`);
  if (text.length > MAX_PROOF_BYTES) throw malformed(`longer than ${MAX_PROOF_BYTES} characters`);
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw malformed('no blank line before the checkpoint');
  const lines = text.slice(0, blank).split('\n');
  if (lines.shift() !== HEADER) throw malformed(`the first line is not ${HEADER}`);
  let extra: Buffer | undefined;
  if (lines[0]?.startsWith('extra ')) extra = decodeBase64(lines.shift()!.slice('extra '.length), 65_536);
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined;
  if (index === undefined) throw malformed('no index line');
  if (lines.length > MAX_HASHES) throw malformed('too many hashes');
  const hashes = lines.map((line) => {
    const hash = decodeBase64Exactly(line, HASH_BYTES);
    if (!hash) throw malformed('a hash is not canonical base64 of 32 bytes');
    return hash;
  });
  const proof: TlogProof = { index, hashes, checkpoint: text.slice(blank + 2) };
  if (extra) proof.extra = extra;
  return proof;
}

/** What a relying party trusts: the log's origin and key, its witnesses, and how many of them must have signed. */
export interface ProofTrust {
  origin: string;
  /** Its key, or those that it had one after the other. */
  log: NoteVerifier | readonly NoteVerifier[];
  witnesses?: readonly NoteVerifier[];
  /** Default 0. */
  minWitnesses?: number;
}

/**
 * Checks offline that the entry with this leaf hash is in the log, and answers index and checkpoint.
 * @throws TransparencyError with the codes of `parseTlogProof`, `openCheckpoint` and `verifyInclusion`;
 * NOTE_UNVERIFIED if fewer witnesses signed than asked for
 */
export function verifyTlogProof(
  text: string,
  leaf: Uint8Array,
  trust: ProofTrust,
): { index: number; checkpoint: VerifiedCheckpoint } {
  const proof = parseTlogProof(text);
  const checkpoint = openCheckpoint(proof.checkpoint, trust.origin, trust.log, trust.witnesses);
  const wanted = trust.minWitnesses ?? 0;
  if (checkpoint.witnesses.length < wanted) {
    throw new TransparencyError(
      'NOTE_UNVERIFIED',
      `${checkpoint.witnesses.length} of ${wanted} witnesses signed`,
    );
  }
  verifyInclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root);
  return { index: proof.index, checkpoint };
}
