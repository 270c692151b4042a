import { CliError } from '../failure/cli-error.js';

const MAX_GRACE_SECONDS = 366 * 86_400;

/** The seconds of `--grace`, 0 without. @throws CliError USAGE */
export function parseGrace(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_GRACE_SECONDS)) {
    throw CliError.of(
      'USAGE',
      `--grace "${text}" is not a number of seconds between 0 and ${MAX_GRACE_SECONDS}.`,
    );
  }
  return seconds;
}
