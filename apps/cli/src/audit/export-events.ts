import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { transportFailure } from '../http/answers.js';
import type { Terminal } from '../terminal/terminal.js';
import type { QueryOptions } from './command.js';
import { timedParameters } from './event-filters.js';

/** `siegel audit query --export`: everything that matches, as it comes and no faster than it is read. */
export async function exportEvents(
  options: QueryOptions,
  format: string,
  terminal: Terminal,
  stopped: AbortSignal,
): Promise<number> {
  for (const [name, given] of [
    ['--limit', options.limit],
    ['--oldest', options.oldest],
    ['--json', options.json],
  ] as const)
    if (given !== undefined) throw CliError.of('USAGE', `${name} does not go with --export.`);
  const parameters = timedParameters(options, new Date());
  parameters.set('format', format);
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  try {
    const path = `/v1/events/export?${parameters}`;
    const { body } = await client.stream(path, { accept: '*/*' }, stopped);
    const decoder = new TextDecoder();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      terminal.out(decoder.decode(chunk, { stream: true }));
      await terminal.drained?.(stopped);
    }
    return 0;
  } catch (error) {
    if (stopped.aborted) return 0;
    throw transportFailure(error, client.service, client.baseUrl);
  } finally {
    await client.close();
  }
}
