import { buildProgram, commandPath } from './program.js';
import { showFailure } from './failure/show-failure.js';
import { Session } from './session.js';
import { processTerminal, type Terminal } from './terminal/terminal.js';

/**
 * Runs one command line and returns its exit code: 0 done, 1 refused or failed, 2 not understood (usage, or a named
 * file that cannot be read). Never ends the process itself.
 */
export async function run(args: string[], terminal: Terminal = processTerminal()): Promise<number> {
  const session = new Session(terminal);
  const json = asksForJson(args);
  const program = buildProgram(session, json);
  try {
    await program.parseAsync(args, { from: 'user' });
    return session.exitCode ?? Number(process.exitCode ?? 0);
  } catch (error) {
    return showFailure(error, terminal, json, commandPath(program, args));
  } finally {
    session.close();
  }
}

/** Whether the output is for a machine; looked up before parsing, so that a usage error can be JSON as well. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}
