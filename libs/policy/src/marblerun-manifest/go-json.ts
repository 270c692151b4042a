/**
 * JSON as Go's encoding/json reads it, with its words for what is wrong: clients of MarbleRun show them to people, and scripts
 * compare them. Numbers keep their text (64-bit values do not fit a double), members keep order and place.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: readonly JsonMember[]; readonly offset: number }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[]; readonly offset: number }
  | { readonly kind: 'string'; readonly value: string; readonly offset: number }
  | { readonly kind: 'number'; readonly text: string; readonly offset: number }
  | { readonly kind: 'bool'; readonly value: boolean; readonly offset: number }
  | { readonly kind: 'null'; readonly offset: number };

export interface JsonMember {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: JsonNode;
}

/** Syntax that Go refuses, or that we do (depth, doubled keys). `offset` in UTF-16 units of the text. */
export class GoJsonError extends Error {
  override readonly name = 'GoJsonError';
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

const MAX_DEPTH = 64;
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

/** A whole text (json.Unmarshal): nothing may follow the value. @throws GoJsonError */
export function parseGoJson(bytes: Uint8Array): JsonNode {
  const parser = new Parser(decode(bytes), 'unexpected end of JSON input');
  const node = parser.value(0);
  parser.end();
  return node;
}

/** The first value of a stream (json.Decoder): what follows is not looked at. @throws GoJsonError, `EOF` where there is nothing */
export function decodeGoJson(bytes: Uint8Array): JsonNode {
  const text = decode(bytes);
  if (/^[ \t\r\n]*$/.test(text)) throw new GoJsonError('EOF', text.length);
  return new Parser(text, 'unexpected EOF').value(0);
}

/** Where an offset is, from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly endMessage: string,
  ) {}

  value(depth: number): JsonNode {
    if (depth > MAX_DEPTH) throw new GoJsonError('exceeded max depth', this.at);
    this.space();
    const offset = this.at;
    const char = this.peek();
    switch (char) {
      case '{':
        return this.object(depth, offset);
      case '[':
        return this.array(depth, offset);
      case '"':
        return { kind: 'string', value: this.string(), offset };
      case 't':
        this.literal('true');
        return { kind: 'bool', value: true, offset };
      case 'f':
        this.literal('false');
        return { kind: 'bool', value: false, offset };
      case 'n':
        this.literal('null');
        return { kind: 'null', offset };
      default:
        if (char === '-' || isDigit(char)) return { kind: 'number', text: this.number(), offset };
        throw this.unexpected('looking for beginning of value');
    }
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) throw this.unexpected('after top-level value');
  }

  private object(depth: number, offset: number): JsonNode {
    const members: JsonMember[] = [];
    const seen = new Set<string>();
    this.at++;
    this.space();
    if (this.peek() === '}') return (this.at++, { kind: 'object', members, offset });
    for (;;) {
      this.space();
      const keyOffset = this.at;
      if (this.peek() !== '"') throw this.unexpected('looking for beginning of object key string');
      const key = this.string();
      // Go lets the last one win, so that what a reader sees depends on where he looks.
      if (seen.has(key))
        throw new GoJsonError(`duplicate key ${JSON.stringify(key.slice(0, 80))}`, keyOffset);
      seen.add(key);
      this.space();
      if (this.peek() !== ':') throw this.unexpected('after object key');
      this.at++;
      members.push({ key, keyOffset, value: this.value(depth + 1) });
      this.space();
      const next = this.peek();
      if (next !== ',' && next !== '}') throw this.unexpected('after object key:value pair');
      this.at++;
      if (next === '}') return { kind: 'object', members, offset };
    }
  }

  private array(depth: number, offset: number): JsonNode {
    const items: JsonNode[] = [];
    this.at++;
    this.space();
    if (this.peek() === ']') return (this.at++, { kind: 'array', items, offset });
    for (;;) {
      items.push(this.value(depth + 1));
      this.space();
      const next = this.peek();
      if (next !== ',' && next !== ']') throw this.unexpected('after array element');
      this.at++;
      if (next === ']') return { kind: 'array', items, offset };
    }
  }

  private string(): string {
    this.at++;
    let value = '';
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)?.[0];
      if (plain !== undefined) {
        value += plain;
        this.at += plain.length;
      }
      const char = this.peek();
      if (char === '"') return (this.at++, value);
      if (char !== '\\') throw this.unexpected('in string literal');
      this.at++;
      value += this.escape();
    }
  }

  private escape(): string {
    const char = this.peek();
    if (char === 'u') {
      this.at++;
      let digits = '';
      while (digits.length < 4) {
        const digit = this.peek();
        if (!/[0-9a-fA-F]/.test(digit)) throw this.unexpected('in \\u hexadecimal character escape');
        digits += digit;
        this.at++;
      }
      return String.fromCharCode(parseInt(digits, 16));
    }
    const plain = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
    if (plain === undefined) throw this.unexpected('in string escape code');
    this.at++;
    return plain;
  }

  private number(): string {
    const start = this.at;
    if (this.text[this.at] === '-') this.at++;
    if (!isDigit(this.peek())) throw this.unexpected('in numeric literal');
    if (this.text[this.at] === '0') this.at++;
    else this.digits();
    if (this.text[this.at] === '.') {
      this.at++;
      if (!isDigit(this.peek())) throw this.unexpected('after decimal point in numeric literal');
      this.digits();
    }
    if (/[eE]/.test(this.text[this.at] ?? '')) {
      this.at++;
      if (/[+-]/.test(this.text[this.at] ?? '')) this.at++;
      if (!isDigit(this.peek())) throw this.unexpected('in exponent of numeric literal');
      this.digits();
    }
    return this.text.slice(start, this.at);
  }

  private digits(): void {
    while (isDigit(this.text[this.at] ?? '')) this.at++;
  }

  private literal(word: string): void {
    for (const letter of word) {
      if (this.peek() !== letter) throw this.unexpected(`in literal ${word} (expecting '${letter}')`);
      this.at++;
    }
  }

  private space(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '')) this.at++;
  }

  private peek(): string {
    const char = this.text[this.at];
    if (char === undefined) throw new GoJsonError(this.endMessage, this.at);
    return char;
  }

  private unexpected(context: string): GoJsonError {
    return new GoJsonError(`invalid character ${quoteChar(this.text, this.at)} ${context}`, this.at);
  }
}

/** A run of characters that stand for themselves in a string. */
// eslint-disable-next-line no-control-regex -- control characters are what ends it
const PLAIN = /[^"\\\u0000-\u001f]+/y;
const isDigit = (char: string): boolean => char >= '0' && char <= '9';

/** As Go quotes the byte that it stumbled over. */
function quoteChar(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  if (char === "'") return "'\\''";
  if (char === '"') return `'"'`;
  const byte = Buffer.from(char, 'utf8')[0] as number;
  if (byte < 0x20 || byte === 0x7f) {
    const short = ({ 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r' } as Record<number, string>)[
      byte
    ];
    return short === undefined ? `'\\x${byte.toString(16).padStart(2, '0')}'` : `'\\${short}'`;
  }
  return byte === 0x5c ? "'\\\\'" : `'${String.fromCharCode(byte)}'`;
}
