import { Deployment } from '../deployment/deployment.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { QueryOptions } from './command.js';
import { parseLimit, queryParameters } from './event-filters.js';
import { checkedEvent, EventPage, eventText } from './logged-event.js';

/** The most events that the service gives in one answer. */
const PAGE = 500;

/** `siegel audit query`: follows the cursor until there are enough events or no more. */
export async function queryEvents(options: QueryOptions, terminal: Terminal): Promise<number> {
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
      const { events, next } = checkedEvent(EventPage, body);
      for (const each of events)
        terminal.out(options.json ? `${JSON.stringify(each)}\n` : eventText(each, style));
      shown += events.length;
      wanted -= events.length;
      // Oldest first, the cursor never ends: it stays valid for events to come.
      if (next === null || wanted <= 0 || events.length === 0) break;
      parameters.set('cursor', next);
    }
  } finally {
    await client.close();
  }
  if (shown === 0 && !options.json) terminal.err('No event matches.\n');
  return 0;
}
