import { type CheckedEvent, type Fraud, type LogWatch } from '#auditor';
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { bundledEntries } from './bundled-entries.js';
import type { FollowFlags } from './follow.js';
import type { CoveredEvent, FollowedNumbers } from './followed-numbers.js';
import { exitCodeOf, fraudText } from './fraud-report.js';
import type { PublishedLog } from './published-log.js';

const BATCH = 1_024;
const FETCH_MS = 1_000;
const RETRY_MS = 1_000;
/** Rounds without anything new after which `--once` takes the broker, or the log itself, to have nothing more. */
const QUIET_ROUNDS = { broker: 3, log: 1 };

/** What a log is read from. */
export interface Sources {
  /** The broker's consumer, where there are credentials for it. */
  events: Consumer | undefined;
  files: PublishedLog;
  /** Whether entry bundles may be read. */
  bundles: boolean;
}

/** Follows one log until a signal, or until the first fraud. */
export class Following {
  private delivered: CoveredEvent[] = [];
  private unacknowledged: { index: number; message: JsMsg }[] = [];
  private announced = '';
  /** How far the state file goes. */
  private remembered: number | undefined;

  constructor(
    private readonly origin: string,
    private readonly sources: Sources,
    private readonly watch: LogWatch,
    private readonly stateFile: string,
    private readonly flags: FollowFlags,
    private readonly terminal: Terminal,
    /** The numbers over all logs, where this is not the only one of its emitters. */
    private readonly numbers: FollowedNumbers | undefined,
  ) {}

  async run(signal: AbortSignal): Promise<number> {
    let quiet = 0;
    while (!signal.aborted) {
      let busy = false;
      try {
        const round = await this.step();
        if (typeof round === 'number') return round;
        busy = round.busy;
      } catch (error) {
        if (this.flags.once) throw error;
        this.terminal.err(`siegel: ${(error as Error).message} Trying again.\n`);
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
      quiet = busy || this.delivered.length > 0 ? 0 : quiet + 1;
      if (this.flags.once && quiet >= QUIET_ROUNDS[this.sources.events ? 'broker' : 'log']) break;
    }
    return 0;
  }

  /** Once more, when every log was read to its end; an exit code. */
  async lastLook(): Promise<number> {
    const result = await this.step();
    return typeof result === 'number' ? result : 0;
  }

  /** Takes what there is and the checkpoint of now; an exit code once there is a fraud. */
  async step(): Promise<{ busy: boolean } | number> {
    const frauds: Fraud[] = [];
    const before = this.watch.verified;
    const took = await this.take(frauds);
    if (frauds.length === 0) frauds.push(...(await this.checkpoint()));
    if (frauds.length > 0) return this.report(frauds);
    return { busy: took > 0 || this.watch.verified > before };
  }

  /** Takes what there is; the number of events. */
  private async take(frauds: Fraud[]): Promise<number> {
    const { events } = this.sources;
    if (events) return this.takeDelivered(events, frauds);
    const count = await this.takeBundled(undefined, frauds);
    // With `--once` there is nothing to wait for but a checkpoint of what was read.
    if (count === 0 && (!this.flags.once || this.delivered.length > 0)) await delay(FETCH_MS);
    return count;
  }

  /** Takes entries from the log's own bundles, up to one; the number of them. */
  private async takeBundled(to: number | undefined, frauds: Fraud[]): Promise<number> {
    let count = 0;
    for await (const { index, bytes } of bundledEntries(this.sources.files, this.watch.next ?? 0, to)) {
      frauds.push(...(await this.watch.event(bytes, index, new Date())));
      if (frauds.length > 0) break;
      this.delivered.push({ index, event: eventIn(bytes) });
      if (++count === BATCH && to === undefined) break;
    }
    return count;
  }

  /** Takes what the broker has. */
  private async takeDelivered(events: Consumer, frauds: Fraud[]): Promise<number> {
    let count = 0;
    const batch = await events.fetch({ max_messages: BATCH, expires: FETCH_MS });
    for await (const message of batch) {
      count++;
      const index = Number(message.headers?.get('ce-siegelindex') || Number.NaN);
      if (!Number.isSafeInteger(index) || index < 0) {
        frauds.push({ kind: 'forged', message: 'the broker delivered a message that is no event of a log' });
        break;
      }
      const missed = this.watch.next;
      if (this.sources.bundles && missed !== undefined && index > missed) {
        // What the broker keeps no more, or does not give, the log itself has, or it is gone.
        const read = await this.takeBundled(index, frauds);
        if (read > 0)
          this.notice(`the broker did not deliver ${read} events from ${missed} on; the log itself has them`);
        if (frauds.length > 0) break;
      }
      const known = this.watch.next;
      frauds.push(...(await this.watch.event(message.data, index, new Date())));
      if (frauds.length > 0) break;
      this.unacknowledged.push({ index, message });
      if (known === undefined || index >= known) this.delivered.push({ index, event: eventIn(message.data) });
    }
    return count;
  }

  private async checkpoint(): Promise<Fraud[]> {
    const round = this.numbers?.round ?? 0;
    const note = await this.sources.files.read('checkpoint');
    if (!note) throw CliError.of('SERVICE_ANSWER_INVALID', 'The log shows no checkpoint.');
    const { frauds, verified, caughtUp } = await this.watch.checkpoint(note.toString('utf8'), new Date());
    if (frauds.length > 0) return frauds;
    const events = this.delivered.filter(({ index }) => index < verified);
    const joint = this.numbers?.take(this.origin, events, caughtUp, round) ?? [];
    if (joint.length > 0) return joint;
    this.remember();
    // Only what is remembered as verified need not be delivered again.
    const covered = this.unacknowledged.filter(({ index }) => index < verified);
    covered.at(-1)?.message.ack();
    this.unacknowledged = this.unacknowledged.filter(({ index }) => index >= verified);
    this.delivered = this.delivered.filter(({ index }) => index >= verified);
    this.print(events, verified);
    return [];
  }

  private remember(): void {
    if (this.watch.verified === this.remembered) return;
    const { state } = this.watch;
    if (!state) return;
    this.remembered = state.size;
    writeFileSync(`${this.stateFile}.new`, JSON.stringify(state), { mode: 0o600 });
    renameSync(`${this.stateFile}.new`, this.stateFile);
  }

  private print(covered: readonly CoveredEvent[], verified: number): void {
    for (const { index, event } of covered) {
      this.terminal.out(
        this.flags.json
          ? `${JSON.stringify({ verified: { log: this.origin, index, event } })}\n`
          : `${event.time}  ${String(index).padStart(8)}  ${printable(event.type)}  ${event.emitter.name}\n`,
      );
    }
    const line = `verified ${verified} entries of ${this.origin}`;
    if (line === this.announced || covered.length === 0) return;
    this.announced = line;
    this.terminal.out(
      this.flags.json
        ? `${JSON.stringify({ checkpoint: { log: this.origin, size: verified } })}\n`
        : `${styleFor(this.terminal.colour).good(line)}\n`,
    );
  }

  private notice(message: string): void {
    this.terminal.out(
      this.flags.json
        ? `${JSON.stringify({ notice: { log: this.origin, message } })}\n`
        : `note: ${message}\n`,
    );
  }

  private report(frauds: readonly Fraud[]): number {
    for (const found of frauds)
      this.terminal.out(
        this.flags.json
          ? `${JSON.stringify({ fraud: { log: this.origin, ...found } })}\n`
          : fraudText(found, this.terminal),
      );
    return exitCodeOf(frauds);
  }
}

/** The event of an entry that was checked already. */
const eventIn = (entry: Uint8Array): CheckedEvent =>
  (JSON.parse(Buffer.from(entry).toString('utf8')) as { event: CheckedEvent }).event;
