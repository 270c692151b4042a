import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { QueryOptions } from './command.js';
import { countEvents } from './count-events.js';
import { parseLimit, queryParameters } from './event-filters.js';
import { exportEvents } from './export-events.js';
import { checkedEvent, EventPage, eventText } from './logged-event.js';

/** The most events that the service gives in one answer. */
const PAGE = 500;

/** `siegel audit query`: events, or their counts, or all of them as a stream. */
export async function queryEvents(
  options: QueryOptions,
  terminal: Terminal,
  stopped: AbortSignal,
): Promise<number> {
  if (options.countBy === undefined && options.bucket !== undefined)
    throw CliError.of('USAGE', '--bucket needs --count-by.');
  if (options.countBy !== undefined && options.export !== undefined)
    throw CliError.of('USAGE', '--count-by and --export exclude each other.');
  if (options.countBy !== undefined) return countEvents(options, options.countBy, terminal);
  if (options.export !== undefined) return exportEvents(options, options.export, terminal, stopped);
  return pageThrough(options, terminal);
}

/** Follows the cursor until there are enough events or no more. */
async function pageThrough(options: QueryOptions, terminal: Terminal): Promise<number> {
  const parameters = queryParameters(options, new Date());
  let wanted = parseLimit(options);
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  const style = styleFor(terminal.colour);
  let shown = 0;
  try {
    for (;;) {
      parameters.set('limit', String(Math.min(wanted, PAGE)));
      const { body } = await client.json(`/v1/events?${parameters}`);
      const { events, next, more } = checkedEvent(EventPage, body);
      for (const each of events)
        terminal.out(options.json ? `${JSON.stringify(each)}\n` : eventText(each, style));
      shown += events.length;
      wanted -= events.length;
      // Oldest first, the cursor never ends: it stays valid for events to come.
      if (next === null || wanted <= 0 || !more) break;
      parameters.set('cursor', next);
    }
  } finally {
    await client.close();
  }
  if (shown === 0 && !options.json) terminal.err('No event matches.\n');
  return 0;
}
