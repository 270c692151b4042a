import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import type { Terminal } from '../terminal/terminal.js';
import type { QueryOptions } from './command.js';
import { timedParameters } from './event-filters.js';
import { checkedEvent } from './logged-event.js';

const Counts = z.looseObject({
  by: z.string(),
  bucket: z.string(),
  total: z.number(),
  counts: z.array(
    z.looseObject({ at: z.string().nullable(), value: z.string().nullable(), count: z.number().int() }),
  ),
});

/** `siegel audit query --count-by`: how many events match, by the values of a field and in steps of time. */
export async function countEvents(options: QueryOptions, by: string, terminal: Terminal): Promise<number> {
  for (const [name, given] of [
    ['--limit', options.limit],
    ['--all', options.all],
    ['--oldest', options.oldest],
  ] as const)
    if (given !== undefined) throw CliError.of('USAGE', `${name} does not go with --count-by.`);
  const parameters = timedParameters(options, new Date());
  parameters.set('by', by);
  parameters.set('bucket', options.bucket ?? 'none');
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  try {
    const { body } = await client.json(`/v1/events/counts?${parameters}`);
    const answer = checkedEvent(Counts, body);
    if (options.json) {
      terminal.out(`${JSON.stringify(answer)}\n`);
      return 0;
    }
    for (const { at, value, count } of answer.counts)
      terminal.out(
        `${at === null ? '' : `${at}  `}${String(count).padStart(10)}  ${printable(value ?? '-')}\n`,
      );
    terminal.out(`${String(answer.total).padStart(10)}  in all\n`);
    return 0;
  } finally {
    await client.close();
  }
}
