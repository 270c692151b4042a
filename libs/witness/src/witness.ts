import { LogKeys } from '#auditor';
import {
  NOTE_COSIGNATURE,
  type WitnessVerdict,
  cosign,
  formatVerifierKey,
  judgeCheckpoint,
  NOTE_ED25519,
  parseNote,
  parseVerifierKey,
  peekSuccession,
  TransparencyError,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { WitnessStore } from './witness-store.js';

/** A log that is witnessed: its origin and its key. */
export interface WitnessedLog {
  readonly name: string;
  readonly publicKey: KeyObject;
}

/** The verifier keys of logs, one per line; empty lines and lines that begin with # are left out. */
export function parseLogKeys(text: string): WitnessedLog[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const { name, type, publicKey } = parseVerifierKey(line);
      if (type !== NOTE_ED25519)
        throw new TransparencyError('KEY_MALFORMED', `${name} is the key of a witness`);
      return { name, publicKey };
    });
}

/** Key ids of the lines of a note. */
const signersOf = (note: string): string[] => parseNote(note).signatures.map(({ keyId }) => keyId);

/** The refusals among a witness's answers. */
export type Refusal = Exclude<WitnessVerdict, { status: 200 }>;

/** A witness: cosigns a log's checkpoint only if it extends the one that it cosigned before (C2SP tlog-witness). */
export class Witness {
  private readonly logs = new Map<string, LogKeys[]>();
  /** Verifier key (cosignature/v1) by which others recognise this witness. */
  readonly verifierKey: string;

  constructor(
    readonly name: string,
    private readonly key: KeyObject,
    logs: readonly WitnessedLog[],
    private readonly store: WitnessStore,
    private readonly clock: () => Date = () => new Date(),
  ) {
    this.verifierKey = formatVerifierKey(name, createPublicKey(key), NOTE_COSIGNATURE);
    // The origin of a log is the name of its key; after a change of keys a log has two.
    for (const { name: origin, publicKey } of logs) {
      const keys = new LogKeys(origin, publicKey);
      for (const note of store.successions(origin)) keys.learn(note);
      const latest = store.latest(origin);
      if (latest) keys.signedBy(signersOf(latest.note));
      this.logs.set(origin, [...(this.logs.get(origin) ?? []), keys]);
    }
  }

  /**
   * Takes a succession of a log's key, signed by a key that is known: the next key is known from now on. A key that has another successor
   * already has lost its right to name one.
   */
  addSuccession(note: string): { status: 200; origin: string } | Refusal {
    let origin: string;
    try {
      ({ origin } = peekSuccession(note));
    } catch (error) {
      if (error instanceof TransparencyError) return { status: 400, why: error.message };
      throw error;
    }
    const known = this.logs.get(origin);
    if (!known) return { status: 404, why: 'this log is not witnessed here' };
    const before = known.flatMap(({ successions }) => successions);
    const frauds = known.map((keys) => keys.learn(note)).filter((found) => found !== undefined);
    if (frauds[0]) return { status: 403, why: frauds[0].message };
    const learned = known.some(({ successions }) => successions.includes(note));
    // Known under another note is known as well.
    if (!learned && !known.some(({ newest }) => newest === peekSuccession(note).vkey))
      return { status: 403, why: 'no known key of this log signed it' };
    if (learned && !before.includes(note)) this.store.addSuccession(origin, note);
    return { status: 200, origin };
  }

  /** Answers `POST add-checkpoint`: a cosignature line, after the checkpoint was recorded durably, or a refusal. */
  addCheckpoint(body: string): { status: 200; cosignature: string; origin: string; size: number } | Refusal {
    return this.store.exclusively(() => {
      const verdict = judgeCheckpoint(
        body,
        (origin) => (this.logs.get(origin) ?? []).flatMap(({ verifiers }) => verifiers),
        (origin) => this.store.latest(origin),
      );
      if (verdict.status !== 200) return verdict;
      const { origin, size, root } = verdict.checkpoint;
      const signers = signersOf(verdict.note);
      const keys = this.logs.get(origin) ?? [];
      if (!keys.some((each) => each.maySign(signers)))
        return { status: 403, why: 'it is signed by a key that has a successor, and not by that' };
      for (const each of keys) each.signedBy(signers);
      this.store.record(origin, { size, root, note: verdict.note });
      return {
        status: 200 as const,
        cosignature: cosign(this.name, this.key, verdict.text, this.clock()),
        origin,
        size,
      };
    });
  }

  /** The checkpoint that was cosigned last for a log, for auditors to compare with. */
  latest(origin: string): string | undefined {
    return this.logs.has(origin) ? this.store.latest(origin)?.note : undefined;
  }
}
