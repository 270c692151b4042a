import { type LintProblem, parseReleasePolicy, type ReleasePolicy } from '#policy';
import { CliError } from '../failure/cli-error.js';
import { named, readWhole } from '../input/bounded-input.js';
import { problemLines } from '../manifest/lint-file.js';
import type { Terminal } from '../terminal/terminal.js';
import { unwrapPolicy } from './wrapped-policy.js';

const MAX_FILE_BYTES = 1024 * 1024;

/** Reads a file as text. @throws CliError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE */
export async function readText(file: string, terminal: Terminal): Promise<string> {
  return (await readWhole(file, MAX_FILE_BYTES, terminal)).toString('utf8');
}

/** The text of a release policy, also where it is wrapped as Key Vault and its command line show it. */
export async function readPolicyText(file: string, terminal: Terminal): Promise<string> {
  return unwrapPolicy(await readText(file, terminal));
}

/**
 * The policy.
 * @throws CliError POLICY_INVALID after it has shown the problems
 */
export async function readPolicy(file: string, json: boolean, terminal: Terminal): Promise<ReleasePolicy> {
  const result = parseReleasePolicy(await readPolicyText(file, terminal));
  if (result.ok) return result.policy;
  const { problems } = result;
  if (!json) terminal.err(`${problemLines(problems, file === '-' ? 'stdin' : file, terminal.colour)}\n`);
  throw invalid(file, problems);
}

function invalid(file: string, problems: readonly LintProblem[]): CliError {
  return CliError.answered(
    'POLICY_INVALID',
    `${named(file)} is not a release policy of grammar 1.0.0.`,
    'Each problem says where and what.',
    { problems },
  );
}
