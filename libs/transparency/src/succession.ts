import type { KeyObject } from 'node:crypto';
import { parseDecimal } from './base64.js';
import { TransparencyError } from './error.js';
import {
  formatVerifierKey,
  NOTE_ED25519,
  type NoteSigner,
  type NoteVerifier,
  openNote,
  parseNote,
  parseVerifierKey,
  signNote,
} from './signed-note.js';

/** First line of every succession: no origin of a checkpoint may equal it, so that neither is ever taken for the other. */
const HEADER = 'siegel-log-succession/v1';

/** That another key signs a log from now on, as the key before it says. */
export interface Succession {
  origin: string;
  /** Verifier key of the next key, with the origin as its name. */
  vkey: string;
  publicKey: KeyObject;
  /** Unix milliseconds at which it was signed. */
  time: number;
}

/** The signed note: four lines, signed by the log's present key. */
export function signSuccession(origin: string, next: KeyObject, time: number, present: NoteSigner): string {
  return signNote(`${HEADER}\n${origin}\n${formatVerifierKey(origin, next)}\n${time}\n`, [present]);
}

/** What a note says, verified by nobody. @throws TransparencyError SUCCESSION_MALFORMED, NOTE_MALFORMED, NOTE_TOO_LARGE */
export function peekSuccession(note: string): Succession & { signers: readonly string[] } {
  const { text, signatures } = parseNote(note);
  const malformed = (why: string) => new TransparencyError('SUCCESSION_MALFORMED', `succession: ${why}`);
  const lines = text.slice(0, -1).split('\n');
  const [header, origin = '', vkey = '', timeLine = ''] = lines;
  if (header !== HEADER || lines.length !== 4) throw malformed('not of its four lines');
  const time = parseDecimal(timeLine);
  if (time === undefined) throw malformed('the time is not a decimal below 2^53');
  let key: ReturnType<typeof parseVerifierKey>;
  try {
    key = parseVerifierKey(vkey);
  } catch (error) {
    throw malformed((error as Error).message);
  }
  if (key.type !== NOTE_ED25519 || key.name !== origin)
    throw malformed('the next key is not one of this log');
  const signers = signatures.filter(({ name }) => name === origin).map(({ keyId }) => keyId);
  return { origin, vkey, publicKey: key.publicKey, time, signers };
}

/**
 * Opens a succession of the log that `present` signs.
 * @throws TransparencyError NOTE_UNVERIFIED, NOTE_SIGNATURE_INVALID, CHECKPOINT_ORIGIN_MISMATCH, SUCCESSION_MALFORMED
 */
export function openSuccession(note: string, origin: string, present: NoteVerifier): Succession {
  const succession = peekSuccession(note);
  if (succession.origin !== origin)
    throw new TransparencyError(
      'CHECKPOINT_ORIGIN_MISMATCH',
      `this succession is of the log ${succession.origin}`,
    );
  openNote(note, [present]);
  return succession;
}
