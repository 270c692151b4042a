import { setTimeout as delay } from 'node:timers/promises';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { ApiClient } from '../http/api-client.js';
import { transportFailure } from '../http/answers.js';
import { serverSentEvents } from '../http/event-stream.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { TailOptions } from './command.js';
import { filterParameters } from './event-filters.js';
import { checkedEvent, eventText, LoggedEvent } from './logged-event.js';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** Failures of the way, not of the request: the same request may succeed later. */
const PASSING = new Set([
  'SERVICE_UNREACHABLE',
  'SERVICE_TIMEOUT',
  'SHUTTING_DOWN',
  'OVERLOADED',
  'RATE_LIMITED',
]);

/** `siegel audit tail`: prints events until `signal`; after the first connection, broken ones are resumed. */
export async function tailEvents(
  options: TailOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const parameters = filterParameters(options);
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  const style = styleFor(terminal.colour);
  const follow = new Follow(client, `/v1/events/stream?${parameters}`, startOf(options.after));
  let wait = FIRST_RETRY_MS;
  try {
    while (!signal.aborted) {
      try {
        for await (const event of follow.once(signal)) {
          wait = FIRST_RETRY_MS;
          terminal.out(options.json ? `${JSON.stringify(event)}\n` : eventText(event, style));
        }
      } catch (error) {
        if (signal.aborted) break;
        const failure = transportFailure(error, client.service, client.baseUrl);
        const passing = failure instanceof CliError && PASSING.has(failure.code);
        if (!follow.connected || !passing) throw failure;
        terminal.err(`siegel: ${failure.message} Trying again.\n`);
      }
      await delay(wait, undefined, { signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_RETRY_MS);
    }
    return 0;
  } finally {
    await client.close();
  }
}

function startOf(after: string | undefined): number | undefined {
  if (after === undefined) return undefined;
  if (!/^\d{1,15}$/.test(after))
    throw CliError.of('USAGE', `--after "${after}" is not a position of the log.`);
  return Number(after);
}

/** The live stream of one query, and how far it was read. */
class Follow {
  connected = false;

  constructor(
    private readonly client: ApiClient,
    private readonly path: string,
    private last: number | undefined,
  ) {}

  /** The events of one connection; those that were seen before are left out. */
  async *once(signal: AbortSignal): AsyncGenerator<LoggedEvent> {
    const resume: Record<string, string> =
      this.last === undefined ? {} : { 'last-event-id': String(this.last) };
    const response = await this.client.stream(this.path, { accept: 'text/event-stream', ...resume }, signal);
    this.connected = true;
    for await (const { data, id } of serverSentEvents(response.body as AsyncIterable<Uint8Array>)) {
      const event = this.read(data);
      if (event && (this.last === undefined || event.position > this.last)) {
        this.last = event.position;
        yield event;
      } else if (/^\d{1,15}$/.test(id)) this.last = Math.max(this.last ?? 0, Number(id));
    }
  }

  private read(data: string): LoggedEvent | undefined {
    let json: unknown;
    try {
      json = JSON.parse(data);
    } catch (error) {
      throw CliError.of('SERVICE_ANSWER_INVALID', `${this.client.service} sent an event that is not JSON.`, {
        cause: error,
      });
    }
    // The stream may carry messages of its own beside events.
    return typeof json === 'object' && json !== null && 'event' in json
      ? checkedEvent(LoggedEvent, json)
      : undefined;
  }
}
