import { CliError } from '../failure/cli-error.js';

const ISO = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/**
 * Reads an ISO 8601 time with its zone (RFC 3339 without leap seconds). A time without a zone would mean something else
 * on another machine, and `Date` repairs days such as 30 February: both are refused.
 * @throws CliError TIME_INVALID
 */
export function parseIsoTime(text: string, option: string): Date {
  const found = ISO.exec(text);
  const invalid = (): CliError =>
    CliError.of('TIME_INVALID', `${option} "${text}" is not an ISO 8601 time with its zone.`);
  if (!found) throw invalid();
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const local = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  local.setUTCFullYear(year);
  const [, , , , , , , fraction, sign, hours, minutes] = found;
  const same =
    local.getUTCMonth() === month - 1 &&
    local.getUTCDate() === day &&
    local.getUTCHours() === hour &&
    local.getUTCMinutes() === minute &&
    local.getUTCSeconds() === second;
  if (!same || Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) throw invalid();
  const offset = sign === undefined ? 0 : (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  const milliseconds = Math.floor(Number(`0.${fraction ?? '0'}`) * 1_000);
  return new Date(local.getTime() + milliseconds - offset * 60_000);
}
