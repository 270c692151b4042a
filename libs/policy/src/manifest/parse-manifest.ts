import { readDocument } from '../document/read-document.js';
import type { LocatedDocument } from '../document/located.js';
import { lintWorkloads } from '../lint/lint-workloads.js';
import type { Finding, LintProblem, PathStep } from '../problem.js';
import { manifestDigest } from './digest.js';
import { ManifestSchema } from './schema.js';
import type { Manifest } from './schema.js';
import { explainIssues } from './schema-problems.js';
import type { TextRepair } from './schema-problems.js';

/** One round repairs all numbers in sight; a second sees what a union hid before. */
const REPAIR_ROUNDS = 4;

export interface ParseOptions {
  /** Prefixed to no message; kept in the result so that a caller can print `file:line:column`. */
  readonly fileName?: string | undefined;
  /** Names of the vaults that the deployment has; a secret that names another is an error. */
  readonly knownVaults?: readonly string[] | undefined;
}

export type ParseResult =
  | { ok: true; manifest: Manifest; digest: string; warnings: LintProblem[]; fileName?: string }
  | { ok: false; problems: LintProblem[]; fileName?: string };

/**
 * Reads a manifest from YAML 1.2 or JSON. With one error or more there is no manifest; warnings alone do not stop it.
 * Never throws: a problem in the text is a problem in the result.
 */
export function parseManifest(text: string, options: ParseOptions = {}): ParseResult {
  const named = options.fileName === undefined ? {} : { fileName: options.fileName };
  const read = readDocument(text);
  if (!read.ok) return { ok: false, problems: read.problems, ...named };
  const { document } = read;
  const { data, findings } = validate(document);
  if (data === undefined) return { ok: false, problems: document.problems(findings), ...named };
  findings.push(...lintWorkloads(data, options));
  const problems = document.problems(findings);
  if (problems.some((problem) => problem.severity === 'error')) return { ok: false, problems, ...named };
  return { ok: true, manifest: data, digest: manifestDigest(data), warnings: problems, ...named };
}

/** Everything that is wrong or doubtful in a manifest; `ok` if there is no error. Never throws. */
export function lintManifest(
  text: string,
  options: ParseOptions = {},
): { ok: boolean; problems: LintProblem[] } {
  const result = parseManifest(text, options);
  return { ok: result.ok, problems: result.ok ? result.warnings : result.problems };
}

function validate(document: LocatedDocument): { data: Manifest | undefined; findings: Finding[] } {
  const findings: Finding[] = [];
  for (let round = 1; ; round++) {
    const result = ManifestSchema.safeParse(document.data);
    if (result.success) return { data: result.data, findings };
    const explained = explainIssues(ManifestSchema, document, result.error.issues, round <= REPAIR_ROUNDS);
    if (explained.repairs.length === 0)
      return { data: undefined, findings: [...findings, ...explained.findings] };
    // Take the numbers for the text that they were written as, and look again: the text may be wrong as well.
    for (const repair of explained.repairs) {
      replace(document.data, repair);
      if (String(Number(repair.source)) !== repair.source) findings.push(unquoted(repair));
    }
  }
}

function unquoted({ path, source }: TextRepair): Finding {
  const message = `${source} without quotes is a number in YAML; it was read as the text "${source}"`;
  return { code: 'TEXT_UNQUOTED', severity: 'warning', path, message, suggestion: `"${source}"` };
}

function replace(data: unknown, { path, source }: TextRepair): void {
  let target = data as Record<PathStep, unknown>;
  for (const step of path.slice(0, -1)) target = target[step] as Record<PathStep, unknown>;
  const last = path.at(-1);
  if (last !== undefined) target[last] = source;
}
