import { type CheckedEvent, type Fraud, LogWatch, type WatchState } from '#auditor';
import { TransparencyError } from '#transparency';
import { jetstream, type Consumer, type JsMsg } from '@nats-io/jetstream';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectBroker, readCredentials } from '../auditor/credentials.js';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { type KeyOptions, keysOf, readTrust } from './auditor-keys.js';
import { exitCodeOf, fraudText } from './fraud-report.js';
import { openPublishedLog, type PublishedLog } from './published-log.js';

const BATCH = 1_024;
const FETCH_MS = 1_000;
const RETRY_MS = 1_000;
const HTTP_TIMEOUT_MS = 10_000;
/** Rounds without anything new after which `--once` takes the broker to have nothing more. */
const QUIET_ROUNDS = 3;

export interface FollowFlags extends KeyOptions {
  readonly creds: string;
  readonly stateFile?: string;
  readonly log?: string;
  readonly maxDelay: number;
  readonly once?: true;
  readonly json?: true;
}

interface Delivered {
  index: number;
  event: CheckedEvent;
}

/** `siegel audit follow`: verifies a live log until Ctrl-C, or until the first fraud, whose kind is the exit code. */
export async function followLog(
  flags: FollowFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const credentials = await readCredentials(flags.creds, terminal);
  const trustFile = flags.trust === undefined ? credentials.trust : await readTrust(flags, terminal);
  const trust = keysOf(trustFile, { ...flags, tenant: flags.tenant ?? credentials.tenant });
  const stateFile = resolve(terminal.cwd, flags.stateFile ?? `${flags.creds}.state`);
  const base = flags.log ?? `${credentials.audit.url}/v1/logs/${credentials.tenant}`;
  const files = await openPublishedLog(base, { timeoutMs: HTTP_TIMEOUT_MS }, terminal);
  const watch = openWatch(stateFile, files, trust, flags.maxDelay * 1_000);
  const broker = await connectBroker(credentials.nats);
  try {
    const { stream, consumer } = credentials.nats;
    // A user who can only read cannot ask for the account's limits, which the client otherwise does first.
    const js = jetstream(broker, { checkAPI: false } as never);
    const events = await js.consumers.get(stream, consumer);
    return await new Following(events, files, watch, stateFile, flags, terminal).run(signal);
  } catch (error) {
    if (error instanceof CliError || error instanceof TransparencyError) throw error;
    throw CliError.of(
      'BROKER_UNUSABLE',
      `The broker does not give the events: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  } finally {
    await files.close();
    await broker.close();
  }
}

function openWatch(
  stateFile: string,
  files: PublishedLog,
  trust: ConstructorParameters<typeof LogWatch>[1],
  maxDelayMs: number,
): LogWatch {
  if (!existsSync(stateFile)) return new LogWatch(files, trust, maxDelayMs);
  try {
    return new LogWatch(files, trust, maxDelayMs, JSON.parse(readFileSync(stateFile, 'utf8')) as WatchState);
  } catch (error) {
    throw CliError.of(
      'EVIDENCE_INVALID',
      `"${stateFile}" is not what was remembered of this log: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

class Following {
  private delivered: Delivered[] = [];
  private unacknowledged: { index: number; message: JsMsg }[] = [];
  private announced = '';
  /** How far the state file goes. */
  private remembered: number | undefined;

  constructor(
    private readonly events: Consumer,
    private readonly files: PublishedLog,
    private readonly watch: LogWatch,
    private readonly stateFile: string,
    private readonly flags: FollowFlags,
    private readonly terminal: Terminal,
  ) {}

  async run(signal: AbortSignal): Promise<number> {
    let quiet = 0;
    while (!signal.aborted) {
      const frauds: Fraud[] = [];
      let busy = false;
      try {
        const before = this.watch.verified;
        const took = await this.take(frauds);
        if (frauds.length === 0) frauds.push(...(await this.checkpoint()));
        busy = took > 0 || this.watch.verified > before;
      } catch (error) {
        if (this.flags.once) throw error;
        this.terminal.err(`siegel: ${(error as Error).message} Trying again.\n`);
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
      if (frauds.length > 0) return this.report(frauds);
      quiet = busy || this.delivered.length > 0 ? 0 : quiet + 1;
      if (this.flags.once && quiet >= QUIET_ROUNDS) break;
    }
    return 0;
  }

  /** Takes what the broker has; the number of events. */
  private async take(frauds: Fraud[]): Promise<number> {
    let count = 0;
    const batch = await this.events.fetch({ max_messages: BATCH, expires: FETCH_MS });
    for await (const message of batch) {
      count++;
      const index = Number(message.headers?.get('ce-siegelindex') || Number.NaN);
      if (!Number.isSafeInteger(index) || index < 0) {
        frauds.push({ kind: 'forged', message: 'the broker delivered a message that is no event of a log' });
        break;
      }
      const known = this.watch.next;
      frauds.push(...(await this.watch.event(message.data, index, new Date())));
      if (frauds.length > 0) break;
      this.unacknowledged.push({ index, message });
      if (known === undefined || index >= known) this.delivered.push({ index, event: eventOf(message) });
    }
    return count;
  }

  private async checkpoint(): Promise<Fraud[]> {
    const note = await this.files.read('checkpoint');
    if (!note) throw CliError.of('SERVICE_ANSWER_INVALID', 'The log shows no checkpoint.');
    const { frauds, verified } = await this.watch.checkpoint(note.toString('utf8'), new Date());
    if (frauds.length > 0) return frauds;
    this.remember();
    // Only what is remembered as verified need not be delivered again.
    const covered = this.unacknowledged.filter(({ index }) => index < verified);
    covered.at(-1)?.message.ack();
    this.unacknowledged = this.unacknowledged.filter(({ index }) => index >= verified);
    this.print(verified);
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

  private print(verified: number): void {
    const covered = this.delivered.filter(({ index }) => index < verified);
    this.delivered = this.delivered.filter(({ index }) => index >= verified);
    for (const { index, event } of covered) {
      this.terminal.out(
        this.flags.json
          ? `${JSON.stringify({ verified: { index, event } })}\n`
          : `${event.time}  ${String(index).padStart(8)}  ${printable(event.type)}  ${event.emitter.name}\n`,
      );
    }
    const line = `verified ${verified} entries`;
    if (line === this.announced || covered.length === 0) return;
    this.announced = line;
    this.terminal.out(
      this.flags.json
        ? `${JSON.stringify({ checkpoint: { size: verified } })}\n`
        : `${styleFor(this.terminal.colour).good(line)}\n`,
    );
  }

  private report(frauds: readonly Fraud[]): number {
    for (const found of frauds)
      this.terminal.out(
        this.flags.json ? `${JSON.stringify({ fraud: found })}\n` : fraudText(found, this.terminal),
      );
    return exitCodeOf(frauds);
  }
}

/** The event of a message that was checked already. */
const eventOf = ({ data }: JsMsg): CheckedEvent =>
  (JSON.parse(Buffer.from(data).toString('utf8')) as { event: CheckedEvent }).event;
