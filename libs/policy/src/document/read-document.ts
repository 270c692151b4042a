import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, YAMLParseError } from 'yaml';
import type { CST, Document, Node, Scalar, Tags } from 'yaml';
import { formatPath, quoted } from '../problem.js';
import type { LintProblem, PathStep } from '../problem.js';
import { DOCUMENT_LIMITS } from './limits.js';
import { lineOf, LocatedDocument } from './located.js';
import type { LocatedNode } from './located.js';

export interface ReadOptions {
  /** Tags that the format has, such as `!akv`: the value becomes a mapping of the tag to it. Default: none. */
  readonly tags?: readonly string[];
  /** Most pieces of syntax in a text, where a format is read by callers who may wait less. Default: that of DOCUMENT_LIMITS. */
  readonly lexemes?: number;
}

export type ReadResult = { ok: true; document: LocatedDocument } | { ok: false; problems: LintProblem[] };

/** Keys that JavaScript gives a meaning of its own; no document of ours needs them. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** The parser's findings that have a code of their own; all others are SYNTAX_ERROR. */
const SYNTAX_CODES: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'MULTIPLE_DOCUMENTS',
  RESOURCE_EXHAUSTION: 'NESTING_TOO_DEEP',
  TAG_RESOLVE_FAILED: 'TAG_NOT_ALLOWED',
  BAD_ALIAS: 'ALIAS_UNRESOLVED',
};

/**
 * Reads YAML 1.2 (core schema, so JSON as well) into plain data with positions. Refuses what documents written by people
 * never need and attackers do: duplicate and non-text keys, tags, several documents, deep nesting, alias bombs, texts beyond the limits.
 * Never throws.
 */
export function readDocument(
  text: string,
  { tags = [], lexemes = DOCUMENT_LIMITS.lexemes }: ReadOptions = {},
): ReadResult {
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes > DOCUMENT_LIMITS.bytes) {
    return whole(
      'DOCUMENT_TOO_LARGE',
      `the document has ${bytes} bytes; at most ${DOCUMENT_LIMITS.bytes} are read`,
    );
  }
  if (!text.isWellFormed()) return whole('TEXT_NOT_UNICODE', 'the document contains a lone surrogate');
  const lines = new LineCounter();
  let parsed: Document.Parsed;
  try {
    parsed = compose(text, lines, tags, lexemes);
  } catch (error) {
    if (error instanceof TooManyLexemes) {
      const message = `more than ${lexemes} names, values and marks`;
      return {
        ok: false,
        problems: [
          {
            code: 'DOCUMENT_TOO_COMPLEX',
            severity: 'error',
            path: '',
            ...lineOf(lines, error.offset),
            message,
          },
        ],
      };
    }
    return whole('SYNTAX_ERROR', error instanceof Error ? error.message : 'the document cannot be read');
  }
  const found = [...parsed.errors, ...parsed.warnings].slice(0, DOCUMENT_LIMITS.problems);
  const syntax = found.map((error): LintProblem => {
    const code = SYNTAX_CODES[error.code] ?? 'SYNTAX_ERROR';
    return { code, severity: 'error', path: '', ...lineOf(lines, error.pos[0]), message: error.message };
  });
  if (syntax.length > 0) return { ok: false, problems: syntax };
  if (parsed.contents === null) return whole('DOCUMENT_EMPTY', 'the document is empty');
  const reader = new NodeReader(parsed, lines, new Set(tags));
  const read = reader.read(parsed.contents, [], undefined, 0);
  if (reader.problems.length > 0) return { ok: false, problems: reader.problems };
  const isJson = /^[\uFEFF\s]*[{[]/.test(text);
  return { ok: true, document: new LocatedDocument(read.data, read.node, lines, isJson) };
}

/** The first document of the text; a second one is an error of the first. */
function compose(
  text: string,
  lines: LineCounter,
  tags: readonly string[],
  lexemes: number,
): Document.Parsed {
  const composer = new Composer({
    prettyErrors: false,
    // Duplicate keys are found below in linear time; the parser's own check is quadratic.
    uniqueKeys: false,
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    customTags: tags.flatMap((tag): Tags => [
      { tag, collection: 'map' },
      { tag, collection: 'seq' },
      { tag, resolve: (source: string) => (source === '' ? null : source) },
    ]),
  });
  let first: Document.Parsed | undefined;
  for (const document of composer.compose(boundedTokens(text, lines, lexemes), true, text.length)) {
    if (first) {
      const message = 'the text holds several documents; write one';
      first.errors.push(new YAMLParseError([document.range[0], document.range[1]], 'MULTIPLE_DOCS', message));
      break;
    }
    first = document as Document.Parsed;
  }
  // With `forceDoc` there is always one, if only an empty one.
  if (!first) throw new Error('the document is empty');
  return first;
}

class TooManyLexemes extends Error {
  constructor(readonly offset: number) {
    super('too many lexemes');
  }
}

/**
 * The parser's tokens up to the point where more errors would not be shown anyway.
 *
 * @throws {TooManyLexemes} before the time to read them adds up.
 */
function* boundedTokens(text: string, lines: LineCounter, most: number): Generator<CST.Token> {
  let errors = 0;
  for (const token of lexedTokens(text, lines, most)) {
    yield token;
    if (token.type === 'error' && ++errors >= DOCUMENT_LIMITS.problems) return;
  }
}

function* lexedTokens(text: string, lines: LineCounter, most: number): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let offset = 0;
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > most) throw new TooManyLexemes(offset);
    offset += lexeme.length;
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

function whole(code: string, message: string): ReadResult {
  return { ok: false, problems: [{ code, severity: 'error', path: '', line: 1, column: 1, message }] };
}

interface Read {
  data: unknown;
  node: LocatedNode;
}

class NodeReader {
  readonly problems: LintProblem[] = [];
  private nodes = 0;
  private stopped = false;
  private readonly anchors = new Map<string, Node>();
  /** Anchored collections being read: an alias to one of them would never end. */
  private readonly open = new Set<Node>();

  constructor(
    private readonly parsed: Document.Parsed,
    private readonly lines: LineCounter,
    private readonly tags: ReadonlySet<string>,
  ) {}

  read(
    node: Node | null | undefined,
    path: readonly PathStep[],
    key: number | undefined,
    depth: number,
  ): Read {
    const value = node?.range?.[0] ?? key ?? 0;
    const here = { value, key: key ?? value };
    const nothing = { data: null, node: here };
    if (this.stopped || !node) return nothing;
    if (++this.nodes > DOCUMENT_LIMITS.nodes) {
      return this.stop(
        'DOCUMENT_TOO_COMPLEX',
        path,
        value,
        `more than ${DOCUMENT_LIMITS.nodes} values`,
        nothing,
      );
    }
    if (depth > DOCUMENT_LIMITS.depth) {
      return this.stop(
        'NESTING_TOO_DEEP',
        path,
        value,
        `nested deeper than ${DOCUMENT_LIMITS.depth} levels`,
        nothing,
      );
    }
    if (isAlias(node)) {
      // Anchors are recorded in the order of the text, as YAML demands; the parser has refused aliases without one.
      const target = this.anchors.get(node.source);
      if (!target)
        return this.refuse(
          'ALIAS_UNRESOLVED',
          path,
          value,
          `no anchor &${node.source} before this alias`,
          nothing,
        );
      if (this.open.has(target))
        return this.refuse('ALIAS_RECURSIVE', path, value, `*${node.source} contains itself`, nothing);
      const read = this.read(target, path, key, depth + 1);
      return { data: read.data, node: { ...read.node, key: here.key } };
    }
    if (node.tag !== undefined && this.tags.has(node.tag)) return this.readTagged(node, path, here, depth);
    if (node.tag !== undefined && node.tag.startsWith('!') && node.tag !== '!') {
      return this.refuse(
        'TAG_NOT_ALLOWED',
        path,
        value,
        `the tag ${quoted(node.tag)} is not supported`,
        nothing,
      );
    }
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.anchors.set(anchor, node);
    return this.readValue(node, path, here, depth);
  }

  private readTagged(
    node: Node,
    path: readonly PathStep[],
    here: { value: number; key: number },
    depth: number,
  ): Read {
    const tag = node.tag!;
    const { data, node: inner } = this.readValue(node, [...path, tag], here, depth + 1);
    return { data: { [tag]: data }, node: { ...here, children: new Map([[tag, inner]]) } };
  }

  private readValue(
    node: Node,
    path: readonly PathStep[],
    here: { value: number; key: number },
    depth: number,
  ): Read {
    if (isScalar(node)) return this.readScalar(node, path, here);
    this.open.add(node);
    try {
      if (isMap(node)) return this.readMap(node.items, path, here, depth);
      if (isSeq(node)) return this.readList(node.items, path, here, depth);
    } finally {
      this.open.delete(node);
    }
    return this.refuse('SYNTAX_ERROR', path, here.value, 'this kind of value is not supported', {
      data: null,
      node: here,
    });
  }

  private readScalar(node: Scalar, path: readonly PathStep[], here: { value: number; key: number }): Read {
    const data = node.value;
    if (typeof data === 'string' && !data.isWellFormed()) {
      return this.refuse('TEXT_NOT_UNICODE', path, here.value, 'the text contains a lone surrogate', {
        data: null,
        node: here,
      });
    }
    if (typeof data === 'number' && node.source !== undefined)
      return { data, node: { ...here, source: node.source } };
    return { data, node: here };
  }

  private readList(
    items: unknown[],
    path: readonly PathStep[],
    here: { value: number; key: number },
    depth: number,
  ): Read {
    const data: unknown[] = [];
    const children = new Map<PathStep, LocatedNode>();
    for (const [index, item] of items.entries()) {
      const read = this.read(item as Node | null, [...path, index], undefined, depth + 1);
      data.push(read.data);
      children.set(index, read.node);
      if (this.stopped) break;
    }
    return { data, node: { ...here, children } };
  }

  private readMap(
    pairs: readonly { key: unknown; value: unknown }[],
    path: readonly PathStep[],
    here: { value: number; key: number },
    depth: number,
  ): Read {
    const data: Record<string, unknown> = {};
    const children = new Map<PathStep, LocatedNode>();
    for (const pair of pairs) {
      const keyNode = pair.key as Node | null;
      const offset = keyNode?.range?.[0] ?? here.value;
      const name = this.keyName(keyNode, path, offset);
      if (name !== undefined) {
        const inner = [...path, name];
        if (children.has(name)) {
          this.refuse('DUPLICATE_KEY', inner, offset, `the key ${quoted(name)} stands here twice`, undefined);
        } else {
          const read = this.read(pair.value as Node | null, inner, offset, depth + 1);
          data[name] = read.data;
          children.set(name, read.node);
        }
      }
      if (this.stopped) break;
    }
    return { data, node: { ...here, children } };
  }

  private keyName(node: Node | null, path: readonly PathStep[], offset: number): string | undefined {
    if (!isScalar(node) || (typeof node.value !== 'string' && node.source === undefined)) {
      this.refuse('KEY_NOT_TEXT', path, offset, 'a key must be plain text', undefined);
      return undefined;
    }
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    // `1:` and `true:` are keys like any other: their text counts.
    const name = typeof node.value === 'string' ? node.value : (node.source ?? '');
    if (FORBIDDEN_KEYS.has(name) || !name.isWellFormed()) {
      this.refuse('KEY_NOT_ALLOWED', path, offset, `the key ${quoted(name)} is not allowed`, undefined);
      return undefined;
    }
    return name;
  }

  private refuse<T>(code: string, path: readonly PathStep[], offset: number, message: string, result: T): T {
    this.problems.push({
      code,
      severity: 'error',
      path: formatPath(path),
      ...lineOf(this.lines, offset),
      message,
    });
    if (this.problems.length >= DOCUMENT_LIMITS.problems) this.stopped = true;
    return result;
  }

  private stop<T>(code: string, path: readonly PathStep[], offset: number, message: string, result: T): T {
    this.stopped = true;
    return this.refuse(code, path, offset, message, result);
  }
}
