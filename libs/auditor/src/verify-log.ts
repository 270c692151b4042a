import {
  type EntryPromise,
  Frontier,
  TILE_WIDTH,
  TransparencyError,
  type VerifiedCheckpoint,
  leafHash,
  peekCheckpoint,
  sameHash,
} from '#transparency';
import type { AuditorTrust } from './auditor-trust.js';
import { checkCheckpoint, unwitnessed } from './checkpoint-check.js';
import { checkEntry, isFraud, successionIn } from './entry-check.js';
import { type Fraud, fraud } from './fraud.js';
import type { JointNumbering } from './joint-numbering.js';
import { NumberingCheck } from './numbering-check.js';
import { promiseKept } from './promise-check.js';
import { TileRows } from './tile-rows.js';
import { type PublishedFiles, readBundle } from './tile-reader.js';

const MAX_FRAUDS = 100;

export interface VerifyLogOptions {
  /** Checkpoints of this log that were seen before, opened. */
  remembered?: readonly VerifiedCheckpoint[];
  /** Authentic promises of this log. */
  promises?: readonly EntryPromise[];
  /** Time after a promise by which a checkpoint must cover its entry. */
  promiseMarginMs: number;
  /** Shared by all logs of a deployment, so that missing numbers can be judged over all of them, by the caller. */
  joint?: JointNumbering;
  maxDelayMs: number;
  now: Date;
}

export interface LogReport {
  origin: string;
  size: number;
  /** Base64, as in the checkpoint. */
  root: string;
  /** Names of the required witnesses that cosigned. */
  witnesses: string[];
  events: number;
  frauds: Fraud[];
  /** What is no fraud and still worth knowing. */
  notices: string[];
}

/**
 * Verifies a whole log from its published files alone: the checkpoint's signature and cosignatures, every entry bundle
 * hashed again, every tile compared, every emitter's signature, the numbering, and what was remembered or promised.
 * @throws what `files` throws; everything that is wrong with the log is in the report
 */
export async function verifyLog(
  files: PublishedFiles,
  trust: AuditorTrust,
  options: VerifyLogOptions,
): Promise<LogReport> {
  const { remembered = [], promises = [], promiseMarginMs: marginMs, maxDelayMs, now } = options;
  const report: LogReport = {
    origin: trust.origin,
    size: 0,
    root: '',
    witnesses: [],
    events: 0,
    frauds: [],
    notices: [],
  };
  const note = await files.read('checkpoint');
  if (!note) {
    report.frauds.push(fraud('dropped', 'the log has no checkpoint'));
    return report;
  }
  const checkpoint = await opened(note, files, trust);
  if (isFraud(checkpoint)) {
    report.frauds.push(checkpoint);
    return report;
  }
  const { size } = checkpoint;
  Object.assign(report, { size, root: checkpoint.root.toString('base64'), witnesses: checkpoint.witnesses });
  for (const name of unwitnessed(checkpoint, trust)) {
    report.frauds.push(
      fraud('forked', `${name} has not cosigned: this may not be the history that everybody else sees`),
    );
  }
  for (const old of remembered) {
    if (old.size > size)
      report.frauds.push(fraud('rolled-back', `the log had ${old.size} entries and has ${size} now`, size));
  }
  const gaps = trust.onlyLog && options.joint === undefined;
  const numbering = new NumberingCheck(maxDelayMs, undefined, gaps);
  const scan = new Scan(files, trust, numbering, report, options.joint);
  await scan.run(checkpoint, remembered, new Set(promises.map(({ index }) => index)));
  for (const promise of promises) {
    const kept = promiseKept(promise, size, scan.leaves.get(promise.index), { now, marginMs });
    if (kept === 'pending') report.notices.push(`the promise of entry ${promise.index} is not due yet`);
    else if (kept !== 'kept') report.frauds.push(kept);
  }
  report.frauds.push(...scan.numbering.unexplained());
  if (!gaps && options.joint === undefined)
    report.notices.push('missing numbers were not judged: the emitters also write to other logs');
  // With the keys that the entries announced: theirs must be among the signatures.
  const again = checkCheckpoint(note, trust);
  if (report.frauds.length === 0 && isFraud(again)) report.frauds.push(again);
  report.frauds.splice(MAX_FRAUDS);
  return report;
}

/** A checkpoint of a key that we do not know may be of one that the log announces. */
async function opened(
  note: Buffer,
  files: PublishedFiles,
  trust: AuditorTrust,
): Promise<VerifiedCheckpoint | Fraud> {
  const checkpoint = checkCheckpoint(note, trust);
  if (!isFraud(checkpoint)) return checkpoint;
  await learnKeys(files, trust);
  return checkCheckpoint(note, trust);
}

/**
 * Learns the keys that a log announces, each by the signature of the key before it, from its entry bundles alone: whatever else is in
 * them counts for nothing yet.
 */
export async function learnKeys(files: PublishedFiles, trust: AuditorTrust): Promise<void> {
  const note = await files.read('checkpoint');
  let size: number;
  try {
    size = note ? peekCheckpoint(note).size : 0;
    for (let bundle = 0; bundle * TILE_WIDTH < size; bundle++) {
      const width = Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH);
      const entries = await readBundle(files, bundle, width);
      if (!entries) return;
      for (const entry of entries) {
        if (!entry.includes('"type":"log.key"')) continue;
        const { succession } = (
          JSON.parse(entry.toString('utf8')) as { event: { data: { succession?: unknown } } }
        ).event.data;
        if (typeof succession === 'string') trust.keys.learn(succession);
      }
    }
  } catch (error) {
    // What is malformed is named by the verification itself.
    if (!(error instanceof TransparencyError || error instanceof SyntaxError || error instanceof TypeError))
      throw error;
  }
}

/** One pass over the entries, in order. */
class Scan {
  /** Leaf hashes that were asked for. */
  readonly leaves = new Map<number, Buffer>();
  readonly #frontier = Frontier.empty();
  readonly #rows: TileRows;

  constructor(
    private readonly files: PublishedFiles,
    private readonly trust: AuditorTrust,
    readonly numbering: NumberingCheck,
    private readonly report: LogReport,
    private readonly joint: JointNumbering | undefined,
  ) {
    this.#rows = new TileRows(files);
  }

  async run(
    checkpoint: VerifiedCheckpoint,
    remembered: readonly VerifiedCheckpoint[],
    wanted: ReadonlySet<number>,
  ): Promise<void> {
    const { size, root } = checkpoint;
    const heads = [...remembered].sort((a, b) => a.size - b.size);
    const checkHeads = (): void => {
      for (; heads[0]?.size === this.#frontier.size; heads.shift()) {
        if (!sameHash(heads[0].root, this.#frontier.root()))
          this.#found(
            fraud('forked', `the first ${heads[0].size} entries are not those of the remembered checkpoint`),
          );
      }
    };
    checkHeads();
    for (let bundle = 0; bundle * TILE_WIDTH < size; bundle++) {
      const start = bundle * TILE_WIDTH;
      const entries = await this.#bundle(bundle, Math.min(TILE_WIDTH, size - start));
      if (!entries) return;
      for (const [i, entry] of entries.entries()) {
        await this.#entry(entry, start + i, wanted);
        checkHeads();
      }
      if (this.report.frauds.length >= MAX_FRAUDS) return;
    }
    this.#found(await this.#rows.finish());
    // Only where nothing else explains it: a changed tile or entry is named above.
    if (!sameHash(this.#frontier.root(), root) && this.report.frauds.length === 0)
      this.#found(fraud('rewritten', 'the entries are not those of the signed checkpoint'));
    else if (!sameHash(this.#frontier.root(), root))
      this.report.notices.push('the entries do not make up the root of the signed checkpoint');
  }

  async #entry(bytes: Buffer, index: number, wanted: ReadonlySet<number>): Promise<void> {
    const checked = checkEntry(bytes, index, this.trust);
    const leaf = isFraud(checked) ? leafHash(bytes) : checked.leaf;
    if (isFraud(checked)) this.#found(checked);
    else {
      this.report.events++;
      for (const found of this.numbering.add(checked.event, index)) this.#found(found);
      this.#found(this.joint?.add(checked.event, index));
      const succession = successionIn(checked.event);
      if (succession !== undefined) {
        const found = this.trust.keys.learn(succession);
        this.#found(found && { ...found, index });
        this.trust.keys.announced(succession);
      }
    }
    if (wanted.has(index)) this.leaves.set(index, leaf);
    this.#frontier.append(leaf);
    this.#found(await this.#rows.push(leaf));
  }

  async #bundle(index: number, width: number): Promise<Buffer[] | undefined> {
    const start = index * TILE_WIDTH;
    try {
      const entries = await readBundle(this.files, index, width);
      if (entries) return entries;
      this.#found(fraud('dropped', `the entries from ${start} on are missing`, start));
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      this.#found(
        fraud('rewritten', `the entry bundle from ${start} on is damaged: ${error.message}`, start),
      );
    }
    return undefined;
  }

  #found(found: Fraud | undefined): void {
    if (found) this.report.frauds.push(found);
  }
}
