import { z } from 'zod';
import { DOCUMENT_LIMITS } from '../document/limits.js';
import type { LocatedDocument } from '../document/located.js';
import { formatPath, quoted } from '../problem.js';
import type { Finding, PathStep } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { FORMATS } from './formats.js';
import type { TextFormat } from './formats.js';
import { keysAt, sectionKnowing } from './schema-shape.js';

type Issue = z.core.$ZodIssue;

const FORMAT_BY_PATTERN: ReadonlyMap<string, TextFormat> = new Map(
  Object.values(FORMATS).map((format) => [String(format.pattern), format]),
);

/** Explaining (spelling, above all) costs more than finding; far more than is shown is never explained. */
const MAX_EXPLAINED = 4 * DOCUMENT_LIMITS.problems;

/** Numbers accepted as text: which paths, and the text that stands in the document. */
export interface TextRepair {
  readonly path: readonly PathStep[];
  readonly source: string;
}

/**
 * Says in the document's own terms what the schema found. YAML reads `mode: 0400` or an FMSPC of digits as a number although
 * text is meant; such values come back as repairs, with their exact source text, so that the caller can try again.
 */
export function explainIssues(
  schema: z.ZodType,
  document: LocatedDocument,
  issues: readonly Issue[],
  repair: boolean,
): { findings: Finding[]; repairs: TextRepair[] } {
  const findings: Finding[] = [];
  const repairs: TextRepair[] = [];
  for (const issue of issues.flatMap((one) => flatten(one, [], document))) {
    const path = issue.path as PathStep[];
    const node = document.node(path);
    const isText = issue.code === 'invalid_type' && issue.expected === 'string';
    if (repair && isText && node?.source !== undefined && !document.isJson) {
      repairs.push({ path, source: node.source });
      continue;
    }
    if (findings.length < MAX_EXPLAINED) findings.push(...explain(schema, document, issue, path));
  }
  return { findings, repairs };
}

/** Follows a union to the branch that fits the kind of the value; paths become absolute. */
function flatten(issue: Issue, base: readonly PropertyKey[], document: LocatedDocument): Issue[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    if (document.node(path as PathStep[]) === undefined) {
      return [{ code: 'invalid_type', expected: 'object', path, message: '', input: undefined } as Issue];
    }
    const fits = (branch: readonly Issue[]) =>
      !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type');
    // An unfitting branch complains about the value itself; one that complains about its inside was meant.
    const branch = issue.errors.find((inner) => inner.length > 0 && fits(inner)) ?? issue.errors[0]!;
    const literal = issue.errors
      .flat()
      .every((inner) => inner.path.length === 0 && inner.code === 'invalid_type');
    if (!literal) return branch.flatMap((inner) => flatten(inner, path, document));
    const expected = issue.errors
      .flat()
      .map((inner) => ('expected' in inner ? String(inner.expected) : 'value'));
    return [
      {
        code: 'custom',
        path,
        message: `must be ${[...new Set(expected)].map(kind).join(' or ')}`,
        input: undefined,
        params: { code: 'WRONG_TYPE' },
      } as Issue,
    ];
  }
  if (issue.code === 'invalid_key') {
    // The value of a record's key: report the key's format at the key's token.
    const inner = issue.issues[0];
    const format = inner && 'pattern' in inner ? FORMAT_BY_PATTERN.get(String(inner.pattern)) : undefined;
    return [
      { code: 'custom', path, message: '', input: undefined, params: { key: format ?? true } } as Issue,
    ];
  }
  return [{ ...issue, path } as Issue];
}

function explain(schema: z.ZodType, document: LocatedDocument, issue: Issue, path: PathStep[]): Finding[] {
  const value = valueAt(document.data, path);
  const error = (
    code: string,
    message: string,
    suggestion?: string,
    at: 'key' | 'value' = 'value',
  ): Finding => ({
    code,
    severity: 'error',
    path,
    at,
    message,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
  const name =
    path.length === 0
      ? 'the document'
      : formatPath(path.slice(-1)).replace(/^\[(\d+)\]$/, 'entry $1 of this list');
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.slice(0, MAX_EXPLAINED).map((key) => unknownKey(schema, path, key));
    case 'invalid_type': {
      if (document.node(path) === undefined)
        return [error('KEY_MISSING', `${quoted(String(path.at(-1)))} is missing`, undefined, 'key')];
      if (value === null)
        return [error('VALUE_EMPTY', `${name} is empty; ${kind(issue.expected)} is expected`)];
      const hint =
        issue.expected === 'string' && typeof value !== 'object'
          ? quoted(String(document.node(path)?.source ?? value))
          : undefined;
      return [error('WRONG_TYPE', `${name} must be ${kind(issue.expected)}, not ${kindOf(value)}`, hint)];
    }
    case 'invalid_format': {
      const format = issue.pattern === undefined ? undefined : FORMAT_BY_PATTERN.get(String(issue.pattern));
      if (!format) return [error('VALUE_INVALID', `${quoted(value)} is not valid here`)];
      const repaired = typeof value === 'string' ? format.repair?.(value) : undefined;
      return [error(format.code, `${name}: ${quoted(value)} must be ${format.what}`, repaired)];
    }
    case 'invalid_value': {
      if (document.node(path) === undefined)
        return [error('KEY_MISSING', `${quoted(String(path.at(-1)))} is missing`, undefined, 'key')];
      const values = issue.values.map(String);
      if (path.length === 1 && path[0] === 'siegel') {
        return [
          error(
            'VERSION_UNSUPPORTED',
            `version ${quoted(value)} of the manifest format is not known`,
            values[0],
          ),
        ];
      }
      const meant = typeof value === 'string' ? didYouMean(value, values) : undefined;
      return [
        error(
          'VALUE_NOT_ALLOWED',
          `${name} must be one of ${values.join(', ')}, not ${quoted(value)}`,
          meant,
        ),
      ];
    }
    case 'too_small':
    case 'too_big': {
      const small = issue.code === 'too_small';
      const bound = String(small ? issue.minimum : issue.maximum);
      if (issue.origin === 'array') {
        return [
          small
            ? error('LIST_EMPTY', `${name} needs at least ${bound} entry`)
            : error('LIST_TOO_LONG', `${name} may have at most ${bound} entries`),
        ];
      }
      if (issue.origin === 'string')
        return [error('TEXT_TOO_LONG', `${name} may have at most ${bound} characters`)];
      return [error('NUMBER_OUT_OF_RANGE', `${name} must be ${small ? 'at least' : 'at most'} ${bound}`)];
    }
    default: {
      const params: Record<string, unknown> = issue.code === 'custom' ? (issue.params ?? {}) : {};
      const key = params['key'];
      if (key === undefined)
        return [
          error(
            typeof params['code'] === 'string' ? params['code'] : 'VALUE_INVALID',
            `${name} ${issue.message}`,
          ),
        ];
      const text = String(path.at(-1));
      if (key === true)
        return [error('KEY_NOT_ALLOWED', `the key ${quoted(text)} is not allowed`, undefined, 'key')];
      const format = key as TextFormat;
      return [error(format.code, `${quoted(text)} must be ${format.what}`, format.repair?.(text), 'key')];
    }
  }
}

function unknownKey(schema: z.ZodType, path: readonly PathStep[], key: string): Finding {
  const known = keysAt(schema, path);
  const section = sectionKnowing(schema, path, key);
  const meant = didYouMean(key, known);
  const where = path.length === 0 ? 'at the top level' : `in ${quoted(formatPath(path))}`;
  const message =
    section !== undefined
      ? `unknown key ${quoted(key)} ${where}; it belongs into "${section}"`
      : meant !== undefined
        ? `unknown key ${quoted(key)} ${where}; did you mean "${meant}"?`
        : key === '<<'
          ? 'merge keys (<<) are not part of YAML 1.2; repeat the keys or use "defaults"'
          : `unknown key ${quoted(key)} ${where}; known: ${known.join(', ')}`;
  const suggestion = section === undefined ? meant : `${section}.${key}`;
  const base: Finding = { code: 'UNKNOWN_KEY', severity: 'error', path: [...path, key], at: 'key', message };
  return suggestion === undefined ? base : { ...base, suggestion };
}

function valueAt(data: unknown, path: readonly PathStep[]): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PathStep, unknown>)[step];
  }
  return value;
}

function kind(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return names[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'empty';
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    object: 'a mapping',
    number: 'a number',
    boolean: 'true or false',
  };
  return names[typeof value] ?? typeof value;
}
