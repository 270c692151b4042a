import { CommanderError } from 'commander';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { CliError } from './cli-error.js';

/** Commander throws these after it has printed what was asked for. */
const ANSWERED = new Set(['commander.helpDisplayed', 'commander.version']);

/**
 * Prints a failure and returns the exit code. With `json` the one object on standard output is `{error: {code, message,
 * remedy}}`; otherwise one sentence and what to do go to standard error.
 * @param path the command that was meant, for the hint at its help, e.g. `siegel verify`
 */
export function showFailure(thrown: unknown, terminal: Terminal, json: boolean, path: string): number {
  if (thrown instanceof CommanderError && (ANSWERED.has(thrown.code) || thrown.exitCode === 0)) return 0;
  const error = asCliError(thrown, path);
  if (json) {
    const { code, message, remedy, extra } = error;
    terminal.out(`${JSON.stringify({ error: { code, message, remedy, ...extra } })}\n`);
  } else if (!(thrown instanceof CommanderError && thrown.code === 'commander.help')) {
    const style = styleFor(terminal.colour);
    const code = error.code === 'USAGE' ? '' : ` ${style.dim(`(${error.code})`)}`;
    terminal.err(`siegel: ${printable(error.message)}${code}\n${printable(error.remedy)}\n`);
  }
  if (terminal.env['SIEGEL_DEBUG'] === '1' && thrown instanceof Error)
    terminal.err(`${debugTrace(thrown)}\n`);
  return error.exit;
}

function asCliError(thrown: unknown, path: string): CliError {
  if (thrown instanceof CliError) return thrown;
  if (thrown instanceof CommanderError) {
    const message =
      thrown.code === 'commander.help'
        ? `a command is missing after "${path}"`
        : thrown.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    return CliError.of('USAGE', `${message}.`.replace(/([.?)])\.$/, '$1'), {
      remedy: `See "${path} --help".`,
    });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return CliError.of('INTERNAL', `an unexpected failure: ${message}`, { cause: thrown });
}

function debugTrace(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${debugTrace(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
