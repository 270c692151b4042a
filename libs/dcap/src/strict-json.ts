import type { DcapErrorCode } from './error-catalogue.js';
import { DcapError } from './error.js';

/** A JSON value; objects are maps, so that no key can reach a prototype. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** The nesting that Intel's own parser allows since 2026-06 (QVL, CWE-674). */
const MAX_DEPTH = 32;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Where the value of a member of the outermost object stands in the text. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * RFC 8259 without leniency: refuses duplicate keys, more than 32 levels, lone surrogates, and anything after the
 * value. Every refusal is a DcapError with the code given by the caller.
 */
export function parseJson(text: string, code: DcapErrorCode): Json {
  return new JsonReader(text, code).document();
}

/** As {@link parseJson}, with the span of each member's value, to cut out the exact bytes that were signed. */
export function parseJsonWithSpans(
  text: string,
  code: DcapErrorCode,
): { value: Json; spans: ReadonlyMap<string, JsonSpan> } {
  const reader = new JsonReader(text, code);
  return { value: reader.document(), spans: reader.spans };
}

class JsonReader {
  readonly spans = new Map<string, JsonSpan>();
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly code: DcapErrorCode,
  ) {
    if (!text.isWellFormed()) this.fail('a lone surrogate');
  }

  document(): Json {
    this.space();
    const value = this.value(1);
    this.space();
    if (this.at !== this.text.length) this.fail('text after the value');
    return value;
  }

  private fail(what: string): never {
    throw new DcapError(this.code, `JSON: ${what} at offset ${this.at}`);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  private value(depth: number): Json {
    if (depth > MAX_DEPTH) this.fail('nested too deep');
    const c = this.text[this.at];
    if (c === '{') return this.object(depth);
    if (c === '[') return this.array(depth);
    if (c === '"') return this.string();
    if (c === 't') return this.literal('true', true);
    if (c === 'f') return this.literal('false', false);
    if (c === 'n') return this.literal('null', null);
    return this.number();
  }

  private literal<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('an unknown word');
    this.at += word.length;
    return value;
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) this.fail('no value');
    this.at += found.length;
    const value = Number(found);
    if (!Number.isFinite(value)) this.fail('a number out of range');
    return value;
  }

  private string(): string {
    this.at++;
    let out = '';
    for (;;) {
      const start = this.at;
      while (isPlain(this.text.charCodeAt(this.at))) this.at++;
      out += this.text.slice(start, this.at);
      const c = this.text[this.at++];
      if (c === '"') return out.isWellFormed() ? out : this.fail('a lone surrogate');
      if (c !== '\\') this.fail('an unfinished string or a control character');
      out += this.escape();
    }
  }

  private escape(): string {
    const c = this.text[this.at++] ?? '';
    if (c === 'u') {
      const hex = this.text.slice(this.at, this.at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail('a bad escape');
      this.at += 4;
      return String.fromCharCode(parseInt(hex, 16));
    }
    return Object.hasOwn(ESCAPES, c) ? (ESCAPES[c] as string) : this.fail('a bad escape');
  }

  private array(depth: number): readonly Json[] {
    const items: Json[] = [];
    this.at++;
    this.space();
    if (this.take(']')) return items;
    for (;;) {
      items.push(this.value(depth + 1));
      this.space();
      if (this.take(']')) return items;
      if (!this.take(',')) this.fail('no comma');
      this.space();
    }
  }

  private object(depth: number): JsonObject {
    const members = new Map<string, Json>();
    this.at++;
    this.space();
    if (this.take('}')) return members;
    for (;;) {
      if (this.text[this.at] !== '"') this.fail('no key');
      const key = this.string();
      if (members.has(key)) this.fail(`the key ${JSON.stringify(key.slice(0, 40))} twice`);
      this.space();
      if (!this.take(':')) this.fail('no colon');
      this.space();
      const start = this.at;
      members.set(key, this.value(depth + 1));
      if (depth === 1) this.spans.set(key, { start, end: this.at });
      this.space();
      if (this.take('}')) return members;
      if (!this.take(',')) this.fail('no comma');
      this.space();
    }
  }

  private take(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }
}

/** Whether a string may contain the character as it is; NaN, the end of the text, is none. */
function isPlain(c: number): boolean {
  return c >= 0x20 && c !== 0x22 && c !== 0x5c;
}
