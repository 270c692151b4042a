import { CliError } from '../failure/cli-error.js';
import { parseIsoTime } from '../input/iso-time.js';
import type { FilterOptions, QueryOptions } from './command.js';

const FILTERS = [
  'tenant',
  'type',
  'outcome',
  'workload',
  'mrenclave',
  'reason',
  'text',
  'emitter',
  'tcbStatus',
  'session',
  'mrsigner',
  'instance',
  'simulated',
  'protocol',
  'fmspc',
  'boundKey',
  'evidence',
  'platform',
] as const satisfies readonly (keyof FilterOptions)[];

/** The query parameters of the filters; the service checks their values and explains what it refuses. */
export function filterParameters(options: FilterOptions): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const name of FILTERS) {
    const value = options[name];
    if (value !== undefined) parameters.set(name, value);
  }
  for (const field of options.field ?? []) parameters.append('field', field);
  return parameters;
}

/** As {@link filterParameters}, with the window of time. @throws CliError TIME_INVALID */
export function timedParameters(options: QueryOptions, now: Date): URLSearchParams {
  const parameters = filterParameters(options);
  if (options.since !== undefined)
    parameters.set('from', pointInTime(options.since, '--since', now).toISOString());
  if (options.until !== undefined)
    parameters.set('to', pointInTime(options.until, '--until', now).toISOString());
  return parameters;
}

/** As {@link timedParameters}, with the order. @throws CliError TIME_INVALID */
export function queryParameters(options: QueryOptions, now: Date): URLSearchParams {
  const parameters = timedParameters(options, now);
  parameters.set('order', options.oldest ? 'oldest' : 'newest');
  return parameters;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 7 * 86_400 };

/** `15m` (ago) or ISO 8601. */
function pointInTime(text: string, option: string, now: Date): Date {
  const ago = /^(\d{1,6})([smhdw])$/.exec(text);
  if (!ago) return parseIsoTime(text, option);
  return new Date(now.getTime() - Number(ago[1]) * (UNIT_SECONDS[ago[2] ?? ''] ?? 0) * 1_000);
}

/** @throws CliError USAGE */
export function parseLimit(options: QueryOptions): number {
  if (options.all) {
    if (options.limit !== undefined) throw CliError.of('USAGE', 'Give either --limit or --all.');
    return Number.POSITIVE_INFINITY;
  }
  const text = options.limit ?? '50';
  if (!/^[1-9]\d{0,6}$/.test(text))
    throw CliError.of('USAGE', `--limit "${text}" is not a number from 1 to 9999999.`);
  return Number(text);
}
