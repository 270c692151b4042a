import { lintReleasePolicy } from '#policy';
import { problemLines } from '../manifest/lint-file.js';
import { printable } from '../terminal/layout.js';
import { CROSS, styleFor, TICK } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { LintOptions } from './command.js';
import { readPolicyText } from './policy-file.js';

/** `siegel policy lint`. */
export async function lintPolicy(file: string, options: LintOptions, terminal: Terminal): Promise<number> {
  const { ok: grammatical, problems } = lintReleasePolicy(await readPolicyText(file, terminal));
  const ok = grammatical && (options.strict === undefined || problems.length === 0);
  if (options.json) terminal.out(`${JSON.stringify({ ok, problems })}\n`);
  else {
    const style = styleFor(terminal.colour);
    const name = file === '-' ? 'stdin' : file;
    if (problems.length > 0) terminal.out(`${problemLines(problems, name, terminal.colour)}\n`);
    const verdict = problems.length === 0 ? 'no problems' : `${problems.length} to look at`;
    terminal.out(`${ok ? style.good(TICK) : style.bad(CROSS)} ${printable(name)}: ${verdict}\n`);
  }
  return ok ? 0 : 1;
}
