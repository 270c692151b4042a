import { ERROR_CATALOGUE } from '#contracts';
import { lintManifest, type LintProblem } from '#policy';
import { CliError } from '../failure/cli-error.js';
import { Deployment } from '../deployment/deployment.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { SetOptions } from './command.js';
import { problemLines, readManifestFile } from './lint-file.js';
import { TenantManifest } from './tenant-manifest.js';

/** `siegel manifest set`. Nothing is sent that the linter refuses. */
export async function setManifest(file: string, options: SetOptions, terminal: Terminal): Promise<number> {
  const expected = parseVersion(options.ifVersion);
  const text = await readManifestFile(file, terminal);
  const name = file === '-' ? 'stdin' : file;
  const { ok, problems } = lintManifest(text);
  if (!options.json && problems.length > 0)
    terminal.err(`${problemLines(problems, name, terminal.colour)}\n`);
  if (!ok) throw invalid(problems);

  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('release');
  try {
    const manifest = new TenantManifest(client, deployment.tenant(options.tenant));
    const replaces = expected ?? (await manifest.currentVersion());
    const record = await manifest.set(text, replaces);
    const { text: _text, ...view } = record;
    if (options.json) terminal.out(`${JSON.stringify(view)}\n`);
    else {
      const style = styleFor(terminal.colour);
      terminal.out(
        `${style.good('✓')} version ${record.version} of tenant ${record.tenant} is in force (sha256 ${record.digest}, ${record.setAt})\n`,
      );
    }
    return 0;
  } catch (error) {
    if (error instanceof CliError && !options.json) showServerProblems(error, name, terminal);
    throw error;
  } finally {
    await client.close();
  }
}

function invalid(problems: readonly LintProblem[]): CliError {
  const { title, remedy } = ERROR_CATALOGUE.MANIFEST_INVALID;
  return CliError.answered('MANIFEST_INVALID', `${title} Nothing was sent.`, remedy, { problems });
}

/** A service of another version may know rules that this command line does not. */
function showServerProblems(error: CliError, name: string, terminal: Terminal): void {
  const { problems } = error.extra;
  if (!Array.isArray(problems)) return;
  const known = problems.filter(
    (each): each is LintProblem =>
      typeof each === 'object' && each !== null && 'message' in each && 'line' in each && 'path' in each,
  );
  if (known.length > 0) terminal.err(`${problemLines(known, name, terminal.colour)}\n`);
}

function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw CliError.of('USAGE', `--if-version "${text}" is not a version number.`);
  return Number(text);
}
