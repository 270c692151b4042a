import type { LineCounter } from 'yaml';
import { formatPath } from '../problem.js';
import type { Finding, LintProblem, PathStep } from '../problem.js';
import { DOCUMENT_LIMITS } from './limits.js';

/** Where one value of a document stands in the text. Offsets are in UTF-16 code units. */
export interface LocatedNode {
  /** Offset of the value's first token. */
  readonly value: number;
  /** Offset of the key's token, or of the value for list items and the root. */
  readonly key: number;
  /** The text of a plain (unquoted) scalar that was read as a number, e.g. `0400`. */
  readonly source?: string;
  readonly children?: ReadonlyMap<PathStep, LocatedNode>;
}

/** A document as plain data, with the position of each of its values. */
export class LocatedDocument {
  constructor(
    readonly data: unknown,
    private readonly root: LocatedNode,
    private readonly lines: LineCounter,
    /** True if the text is JSON, or YAML in JSON's notation. */
    readonly isJson: boolean,
  ) {}

  /** The node at a path, or undefined if the path leads out of the document. */
  node(path: readonly PathStep[]): LocatedNode | undefined {
    let node: LocatedNode | undefined = this.root;
    for (const step of path) node = node?.children?.get(step);
    return node;
  }

  /** Position of a path; of its nearest existing ancestor's key if the path does not exist (a missing key). */
  position(path: readonly PathStep[], at: 'key' | 'value' = 'value'): { line: number; column: number } {
    let node = this.root;
    let missing = false;
    for (const step of path) {
      const next: LocatedNode | undefined = node.children?.get(step);
      if (!next) {
        missing = true;
        break;
      }
      node = next;
    }
    return this.lineOf(missing || at === 'key' ? node.key : node.value);
  }

  lineOf(offset: number): { line: number; column: number } {
    return lineOf(this.lines, offset);
  }

  /** Turns findings into problems in the order of the text, errors and warnings alike, at most the limit. */
  problems(findings: readonly Finding[]): LintProblem[] {
    const problems = findings.map((finding): LintProblem => {
      const { code, severity, path, at, message, suggestion } = finding;
      const base = { code, severity, path: formatPath(path), ...this.position(path, at), message };
      return suggestion === undefined ? base : { ...base, suggestion };
    });
    return capped(sorted(problems));
  }
}

export function lineOf(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function sorted(problems: LintProblem[]): LintProblem[] {
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

function capped(problems: LintProblem[]): LintProblem[] {
  const limit = DOCUMENT_LIMITS.problems;
  if (problems.length <= limit) return problems;
  // Errors first claim the room, so that a flood of warnings cannot hide one.
  const errors = problems.filter((problem) => problem.severity === 'error').slice(0, limit);
  const warnings = problems
    .filter((problem) => problem.severity === 'warning')
    .slice(0, limit - errors.length);
  const kept = new Set([...errors, ...warnings]);
  const result = problems.filter((problem) => kept.has(problem));
  const severity = errors.length > 0 ? 'error' : 'warning';
  const message = `at least ${problems.length - result.length} more problems are not listed`;
  result.push({ code: 'TOO_MANY_PROBLEMS', severity, path: '', line: 1, column: 1, message });
  return result;
}
