/** One finding about a document, at the token that causes it. Lines and columns start at 1. */
export interface LintProblem {
  /** Stable UPPER_SNAKE code; catalogued in docs/manifest.md. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** Where in the document, e.g. `workloads.payments.secrets[0].path`; empty for the whole document. */
  readonly path: string;
  readonly line: number;
  /** In UTF-16 code units, as editors count. */
  readonly column: number;
  readonly message: string;
  /** What to write instead, if that is known. */
  readonly suggestion?: string;
}

/** A step into a document: a key of a mapping or an index of a list. */
export type PathStep = string | number;

/** A finding before its position is looked up. */
export interface Finding {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly path: readonly PathStep[];
  /** `key`: point at the key's token; `value` (default): at the value's. */
  readonly at?: 'key' | 'value';
  readonly message: string;
  readonly suggestion?: string;
}

/** Formats a path as people write it: `workloads.payments.secrets[0].path`. */
export function formatPath(path: readonly PathStep[]): string {
  let out = '';
  for (const step of path) {
    if (typeof step === 'number') out += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) out += out === '' ? step : `.${step}`;
    else out += `[${JSON.stringify(step.length > 80 ? `${step.slice(0, 80)}…` : step)}]`;
  }
  return out;
}

/** Shortens foreign text for use inside a message. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
