import {
  Frontier,
  TileHashSource,
  TransparencyError,
  type VerifiedCheckpoint,
  completeSubtrees,
  proveConsistency,
  sameHash,
  verifyConsistency,
} from '#transparency';
import type { AuditorTrust } from './auditor-trust.js';
import { checkCheckpoint, unwitnessed } from './checkpoint-check.js';
import { checkEntry, isFraud, successionIn, type CheckedEntry } from './entry-check.js';
import { type Fraud, fraud } from './fraud.js';
import { compareHistories } from './histories.js';
import { NumberingCheck, type NumberingState } from './numbering-check.js';
import type { PublishedFiles } from './tile-reader.js';

/** Leaf hashes that are kept to tell afterwards which entry was changed. */
const RECENT = 4_096;
/** Time within which a delivered event must be in a checkpoint, in milliseconds. */
const UNCOVERED_MS = 60_000;
/** Checkpoints in a row for which the log may fail to give a proof: tiles of an older one are removed while they are read. */
const MAX_UNPROVEN = 5;

/** What an auditor must remember between two runs; hashes in hex. */
export interface WatchState {
  /** The last checkpoint that was verified, as it was served. */
  checkpoint: string;
  size: number;
  edge: string[];
  recent: string[];
  /** Successions of the log's key that were learned from its events. */
  successions?: string[];
  numbering: NumberingState;
}

/** What a step of watching found. */
export interface WatchStep {
  frauds: Fraud[];
  /** How many entries are covered by verified checkpoints now. */
  verified: number;
  /** Whether that is all that the log shows. */
  caughtUp: boolean;
}

/**
 * Watches a live log: events as the broker delivers them, checkpoints and tiles as the log publishes them. An event
 * counts as verified when a signed checkpoint covers it whose root is exactly that of all events delivered so far.
 */
export class LogWatch {
  #last: VerifiedCheckpoint | undefined;
  #lastNote = '';
  /** All entries that are verified. */
  #verified: Frontier | undefined;
  #recent: Buffer[] = [];
  #numbering: NumberingCheck;
  /** Delivered, not verified yet. */
  #waiting: { entry: CheckedEntry; since: number }[] = [];
  /** Checkpoints that cover more than was delivered. */
  #ahead: { checkpoint: VerifiedCheckpoint; note: string }[] = [];
  #unproven = 0;
  #unwitnessedSince: number | undefined;
  /** Successions whose announcement is verified. */
  readonly #announced: string[] = [];

  constructor(
    private readonly files: PublishedFiles,
    private readonly trust: AuditorTrust,
    private readonly maxDelayMs: number,
    state?: WatchState,
  ) {
    this.#numbering = new NumberingCheck(maxDelayMs, state?.numbering, trust.onlyLog);
    if (!state) return;
    for (const note of state.successions ?? []) {
      const found = trust.keys.learn(note);
      if (found) throw new TransparencyError('NOTE_UNVERIFIED', found.message);
    }
    const checkpoint = checkCheckpoint(state.checkpoint, trust);
    if (isFraud(checkpoint)) throw new TransparencyError('NOTE_UNVERIFIED', checkpoint.message);
    for (const note of state.successions ?? []) {
      trust.keys.announced(note);
      this.#announced.push(note);
    }
    this.#last = checkpoint;
    this.#lastNote = state.checkpoint;
    this.#verified = Frontier.from(
      state.size,
      state.edge.map((hash) => Buffer.from(hash, 'hex')),
    );
    this.#recent = state.recent.map((hash) => Buffer.from(hash, 'hex'));
  }

  /** Entries that are covered by verified checkpoints. */
  get verified(): number {
    return this.#verified?.size ?? 0;
  }

  /** Index of the next event to come; undefined before the first of all. */
  get next(): number | undefined {
    return this.#verified && this.#verified.size + this.#waiting.length;
  }

  /** For the next run; undefined as long as nothing was verified. */
  get state(): WatchState | undefined {
    if (!this.#verified || !this.#lastNote) return undefined;
    return {
      checkpoint: this.#lastNote,
      size: this.#verified.size,
      edge: this.#verified.edge.map((hash) => hash.toString('hex')),
      recent: this.#recent.map((hash) => hash.toString('hex')),
      ...(this.#announced.length === 0 ? {} : { successions: this.#announced }),
      numbering: this.#numbering.state,
    };
  }

  /** Takes an event as it was delivered. */
  async event(bytes: Uint8Array, index: number, now: Date): Promise<Fraud[]> {
    const entry = checkEntry(bytes, index, this.trust);
    if (isFraud(entry)) return [entry];
    this.#verified ??= await this.#begin(index);
    const next = this.next!;
    if (index > next) {
      const which = index - next === 1 ? `event ${next} was` : `the events ${next} to ${index - 1} were`;
      return [fraud('dropped', `${which} never delivered`, next)];
    }
    if (index < next) return this.#again(entry.leaf, index);
    // The next key may be the only one that signs what covers its announcement.
    const succession = successionIn(entry.event);
    const found = succession === undefined ? undefined : this.trust.keys.learn(succession);
    if (found) return [{ ...found, index }];
    this.#waiting.push({ entry, since: now.getTime() });
    return [];
  }

  /** Takes a checkpoint as it is published now. */
  async checkpoint(note: string, now: Date): Promise<WatchStep> {
    const frauds = await this.#newCheckpoint(note);
    if (frauds.length === 0) frauds.push(...(await this.#advance()));
    const [oldest] = this.#waiting;
    if (frauds.length === 0 && oldest && now.getTime() - oldest.since > UNCOVERED_MS) {
      const index = this.#verified!.size;
      frauds.push(fraud('dropped', `event ${index} was delivered and is in no checkpoint`, index));
    }
    if (frauds.length === 0) frauds.push(...this.#cosigned(note, now));
    frauds.push(...this.#numbering.unexplained());
    return { frauds, verified: this.verified, caughtUp: this.#caughtUp(note) };
  }

  #caughtUp(note: string): boolean {
    const checkpoint = checkCheckpoint(note, this.trust);
    return !isFraud(checkpoint) && this.#ahead.length === 0 && checkpoint.size === this.verified;
  }

  /** A cosignature comes a moment after the checkpoint; where none comes, this may be a history for us alone. */
  #cosigned(note: string, now: Date): Fraud[] {
    const checkpoint = checkCheckpoint(note, this.trust);
    const missing = isFraud(checkpoint) ? [] : unwitnessed(checkpoint, this.trust);
    if (missing.length === 0) this.#unwitnessedSince = undefined;
    else this.#unwitnessedSince ??= now.getTime();
    if (now.getTime() - (this.#unwitnessedSince ?? Infinity) <= UNCOVERED_MS || missing.length === 0)
      return [];
    return [
      fraud(
        'forked',
        `${missing.join(', ')} did not cosign: this may not be the history that everybody else sees`,
      ),
    ];
  }

  async #newCheckpoint(note: string): Promise<Fraud[]> {
    const checkpoint = checkCheckpoint(note, this.trust);
    if (isFraud(checkpoint)) return [checkpoint];
    const newest = this.#ahead.at(-1)?.checkpoint ?? this.#last;
    if (newest) {
      const { size, root } = newest;
      if (checkpoint.size < size)
        return [
          fraud('rolled-back', `the log had ${size} entries and has ${checkpoint.size} now`, checkpoint.size),
        ];
      if (checkpoint.size === size && sameHash(checkpoint.root, root)) return [];
      const consistent = await this.#consistent(newest, checkpoint);
      if (consistent === 'unproven') return [];
      if (!consistent) return [await this.#explain(checkpoint)];
    }
    this.#ahead.push({ checkpoint, note });
    return [];
  }

  async #consistent(old: VerifiedCheckpoint, checkpoint: VerifiedCheckpoint): Promise<boolean | 'unproven'> {
    const { size, root } = checkpoint;
    if (old.size === size) return false;
    let proof: Buffer[];
    try {
      proof = await proveConsistency(new TileHashSource(this.files, size), old.size, size);
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      return ++this.#unproven > MAX_UNPROVEN ? false : 'unproven';
    }
    try {
      verifyConsistency(old.size, old.root, size, root, proof);
      this.#unproven = 0;
      return true;
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      return false;
    }
  }

  /** Verifies delivered events against the checkpoints that cover them. */
  async #advance(): Promise<Fraud[]> {
    while (this.#ahead[0] && this.#verified) {
      const { checkpoint, note } = this.#ahead[0];
      const count = checkpoint.size - this.#verified.size;
      if (count > this.#waiting.length) return [];
      const covered = this.#waiting.slice(0, Math.max(count, 0));
      const grown = this.#verified.clone();
      for (const { entry } of covered) grown.append(entry.leaf);
      if (!sameHash(grown.root(), checkpoint.root)) return [await this.#explain(checkpoint)];
      const start = this.#verified.size;
      const frauds = covered.flatMap(({ entry }, i) => this.#numbering.add(entry.event, start + i));
      this.#verified = grown;
      this.#waiting.splice(0, covered.length);
      this.#recent = [...this.#recent, ...covered.map(({ entry }) => entry.leaf)].slice(-RECENT);
      this.#ahead.shift();
      this.#last = checkpoint;
      this.#lastNote = note;
      frauds.push(...this.#announce(covered, note));
      if (frauds.length > 0) return frauds;
    }
    return [];
  }

  /** A checkpoint that covers the announcement of a key must be signed by it, and so must every later one. */
  #announce(covered: readonly { entry: CheckedEntry }[], note: string): Fraud[] {
    const successions = covered.flatMap(({ entry }) => successionIn(entry.event) ?? []);
    if (successions.length === 0) return [];
    for (const succession of successions) {
      this.trust.keys.announced(succession);
      if (this.trust.keys.successions.includes(succession)) this.#announced.push(succession);
    }
    // It may have been opened before its next key was known.
    const checkpoint = checkCheckpoint(note, this.trust);
    return isFraud(checkpoint) ? [checkpoint] : [];
  }

  /** Which change makes the tree of `checkpoint` another one than was seen. */
  async #explain(checkpoint: VerifiedCheckpoint): Promise<Fraud> {
    const seen = [...this.#recent, ...this.#waiting.map(({ entry }) => entry.leaf)];
    const start = (this.#verified?.size ?? 0) - this.#recent.length;
    const end = Math.min(checkpoint.size, start + seen.length + 1);
    try {
      const source = new TileHashSource(this.files, checkpoint.size);
      const nodes = Array.from({ length: Math.max(end - start, 0) }, (_, i) => ({
        level: 0,
        index: start + i,
      }));
      const shown = await source.hashes(nodes);
      return compareHistories(seen.slice(0, Math.max(end - start, 0)), shown, start);
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      return fraud(
        'forked',
        'the new checkpoint is no continuation of the last, and its tiles are not shown',
      );
    }
  }

  /** Delivered again: it must be the entry that it was. */
  async #again(leaf: Buffer, index: number): Promise<Fraud[]> {
    const start = this.#verified!.size - this.#recent.length;
    const waiting = this.#waiting[index - this.#verified!.size]?.entry.leaf;
    const known = waiting ?? this.#recent[index - start];
    if (!known || known.equals(leaf)) return [];
    return [fraud('rewritten', `event ${index} was delivered twice, with different contents`, index)];
  }

  /** A log that is watched from the middle on: what came before is taken from the tiles, and proved by the next root. */
  async #begin(index: number): Promise<Frontier> {
    if (index === 0) return Frontier.empty();
    const note = await this.files.read('checkpoint');
    const checkpoint = note && checkCheckpoint(note, this.trust);
    if (!checkpoint || isFraud(checkpoint) || checkpoint.size < index)
      throw new TransparencyError('TILE_MISSING', 'the log shows no checkpoint of what came before');
    this.#numbering = new NumberingCheck(
      this.maxDelayMs,
      { whole: false, latest: 0, epochs: {} },
      this.trust.onlyLog,
    );
    const source = new TileHashSource(this.files, checkpoint.size);
    return Frontier.from(index, await source.hashes(completeSubtrees(0, index)));
  }
}
