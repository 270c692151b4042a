import {
  NOTE_COSIGNATURE,
  type NoteVerifier,
  type WitnessVerdict,
  cosign,
  ed25519Verifier,
  formatVerifierKey,
  judgeCheckpoint,
  NOTE_ED25519,
  parseVerifierKey,
  TransparencyError,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { WitnessStore } from './witness-store.js';

/** The verifier keys of logs, one per line; empty lines and lines that begin with # are left out. */
export function parseLogKeys(text: string): NoteVerifier[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const { name, type, publicKey } = parseVerifierKey(line);
      if (type !== NOTE_ED25519)
        throw new TransparencyError('KEY_MALFORMED', `${name} is the key of a witness`);
      return ed25519Verifier(name, publicKey);
    });
}

/** The refusals among a witness's answers. */
export type Refusal = Exclude<WitnessVerdict, { status: 200 }>;

/** A witness: cosigns a log's checkpoint only if it extends the one that it cosigned before (C2SP tlog-witness). */
export class Witness {
  private readonly logs = new Map<string, NoteVerifier[]>();
  /** Verifier key (cosignature/v1) by which others recognise this witness. */
  readonly verifierKey: string;

  constructor(
    readonly name: string,
    private readonly key: KeyObject,
    logs: readonly NoteVerifier[],
    private readonly store: WitnessStore,
    private readonly clock: () => Date = () => new Date(),
  ) {
    this.verifierKey = formatVerifierKey(name, createPublicKey(key), NOTE_COSIGNATURE);
    // The origin of a log is the name of its key; after a change of keys a log has two.
    for (const log of logs) this.logs.set(log.name, [...(this.logs.get(log.name) ?? []), log]);
  }

  /** Answers `POST add-checkpoint`: a cosignature line, after the checkpoint was recorded durably, or a refusal. */
  addCheckpoint(body: string): { status: 200; cosignature: string; origin: string; size: number } | Refusal {
    return this.store.exclusively(() => {
      const verdict = judgeCheckpoint(
        body,
        (origin) => this.logs.get(origin) ?? [],
        (origin) => this.store.latest(origin),
      );
      if (verdict.status !== 200) return verdict;
      const { origin, size, root } = verdict.checkpoint;
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
