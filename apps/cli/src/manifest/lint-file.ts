import { lintManifest, type LintProblem, marblerun } from '#policy';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';

/** Above libs/policy's own limit, so that a manifest that is too large gets its proper problem. */
const MAX_FILE_BYTES = 2 * 1024 * 1024;

/** Reads a manifest file as text. @throws CliError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE */
export async function readManifestFile(file: string, terminal: Terminal): Promise<string> {
  return (await readWhole(file, MAX_FILE_BYTES, terminal)).toString('utf8');
}

/** Manifests that are linted: ours, and those of coordinators that we are. */
export const LINT_KINDS = ['siegel', 'marblerun'] as const;

/** `siegel manifest lint`. */
export async function lintFile(
  file: string,
  { json, kind }: { readonly json: boolean; readonly kind: string },
  terminal: Terminal,
): Promise<number> {
  if (!(LINT_KINDS as readonly string[]).includes(kind))
    throw CliError.of('USAGE', `--kind is one of ${LINT_KINDS.join(', ')}.`);
  const { ok, problems } = lint(await readManifestFile(file, terminal), kind);
  if (json) terminal.out(`${JSON.stringify({ ok, problems })}\n`);
  else {
    const style = styleFor(terminal.colour);
    const name = file === '-' ? 'stdin' : file;
    if (problems.length > 0) terminal.out(`${problemLines(problems, name, terminal.colour)}\n`);
    terminal.out(`${ok ? style.good('✓') : style.bad('✗')} ${summary(name, problems)}\n`);
  }
  return ok ? 0 : 1;
}

function lint(text: string, kind: string): { ok: boolean; problems: readonly LintProblem[] } {
  if (kind === 'siegel') return lintManifest(text);
  const problems = marblerun.lintMarbleRunManifest(Buffer.from(text, 'utf8'));
  return { ok: problems.every(({ severity }) => severity !== 'error'), problems };
}

/** One problem per line as compilers write it, so that editors can jump to it. */
export function problemLines(problems: readonly LintProblem[], file: string, colour: boolean): string {
  const style = styleFor(colour);
  return problems
    .map(({ code, severity, path, line, column, message, suggestion }) => {
      const kind = severity === 'error' ? style.bad('error') : style.warn('warning');
      const where = path === '' ? '' : ` ${style.dim(printable(`(${path})`))}`;
      const hint = suggestion === undefined ? '' : `\n    did you mean: ${printable(suggestion)}`;
      return `${printable(file)}:${line}:${column}: ${kind} ${code}: ${printable(message)}${where}${hint}`;
    })
    .join('\n');
}

function summary(name: string, problems: readonly LintProblem[]): string {
  const count = (severity: LintProblem['severity'], word: string): string => {
    const n = problems.filter((each) => each.severity === severity).length;
    return n === 0 ? `no ${word}s` : `${n} ${word}${n === 1 ? '' : 's'}`;
  };
  return `${printable(name)}: ${count('error', 'error')}, ${count('warning', 'warning')}`;
}
