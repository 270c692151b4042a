import { quoted, TemplateError } from './template-error.js';

/** Tokens of Go's text/template (package text/template/parse), delimiters `{{` and `}}`. */
export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'bool'
  | 'nil'
  | 'field'
  | 'variable'
  | 'dot'
  | 'number'
  | 'string'
  | 'character'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'pipe'
  | 'left-paren'
  | 'right-paren'
  | 'other'
  | 'error'
  | 'eof';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Octets from the beginning. */
  readonly at: number;
  /** From 1. */
  readonly line: number;
}

const KEYWORDS = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'break',
  'continue',
  'define',
  'block',
  'template',
]);
const SPACE = ' \t\r\n';

/** How a token is named in an error message. */
export function tokenName({ kind, text }: Token): string {
  if (kind === 'eof') return 'EOF';
  if (kind === 'error') return text;
  if (kind === 'keyword') return `<${text}>`;
  return text.length > 10 ? `${quoted(text.slice(0, 10))}...` : quoted(text);
}

/**
 * Splits a template into tokens, all at once. An error is the last token; the parser decides how it is told.
 * @param source octets
 */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  private readonly tokens: Token[] = [];
  private at = 0;
  private line = 1;
  private parens = 0;

  constructor(private readonly source: string) {}

  run(): Token[] {
    while (this.text()) if (!this.action()) return this.tokens;
    return this.tokens;
  }

  /** Up to the next action; false at the end of the source. */
  private text(): boolean {
    const { source } = this;
    const open = source.indexOf('{{', this.at);
    const end = open < 0 ? source.length : open;
    const trims = open >= 0 && this.trimsAfter(open + 2);
    let stop = end;
    if (trims) while (stop > this.at && SPACE.includes(source[stop - 1]!)) stop--;
    if (stop > this.at) this.push('text', stop);
    this.advanceTo(end);
    if (open < 0) this.push('eof', end);
    return open >= 0;
  }

  /** `{{- `: the dash counts only before a space. */
  private trimsAfter(at: number): boolean {
    return this.source[at] === '-' && at + 1 < this.source.length && SPACE.includes(this.source[at + 1]!);
  }

  /** One action or comment; false after an error. */
  private action(): boolean {
    const { source } = this;
    const inner = this.at + 2 + (this.trimsAfter(this.at + 2) ? 2 : 0);
    if (source.startsWith('/*', inner)) return this.comment(inner);
    this.push('open', this.at + 2);
    this.advanceTo(inner);
    this.parens = 0;
    for (;;) {
      const closing = this.closingAt(this.at);
      if (closing) {
        if (this.parens > 0) return this.fail('unclosed left paren');
        this.advanceTo(closing.brace);
        this.push('close', closing.brace + 2);
        this.trimRight(closing.trims);
        return true;
      }
      if (!this.token()) return false;
    }
  }

  private comment(start: number): boolean {
    const end = this.source.indexOf('*/', start);
    if (end < 0) return this.fail('unclosed comment');
    const closing = this.closingAt(end + 2);
    if (!closing) return this.fail('comment ends before closing delimiter');
    this.advanceTo(closing.brace + 2);
    this.trimRight(closing.trims);
    return true;
  }

  /** `}}` or ` -}}` at a place. */
  private closingAt(at: number): { brace: number; trims: boolean } | undefined {
    const { source } = this;
    if (source.startsWith('}}', at)) return { brace: at, trims: false };
    if (at < source.length && SPACE.includes(source[at]!) && source.startsWith('-}}', at + 1))
      return { brace: at + 2, trims: true };
    return undefined;
  }

  private trimRight(trims: boolean): void {
    if (!trims) return;
    let at = this.at;
    while (at < this.source.length && SPACE.includes(this.source[at]!)) at++;
    this.advanceTo(at);
  }

  /** One token inside an action; false after an error. */
  private token(): boolean {
    const { source, at } = this;
    const character = source[at];
    if (character === undefined) return this.fail('unclosed action');
    if (SPACE.includes(character)) {
      let end = at;
      while (end < source.length && SPACE.includes(source[end]!) && !this.closingAt(end)) end++;
      this.push('space', Math.max(end, at + 1));
      return true;
    }
    if (source.startsWith(':=', at)) return this.push('declare', at + 2);
    switch (character) {
      case '=':
        return this.push('assign', at + 1);
      case ',':
        return this.push('comma', at + 1);
      case '|':
        return this.push('pipe', at + 1);
      case '(':
        this.parens++;
        return this.push('left-paren', at + 1);
      case ')':
        if (--this.parens < 0) return this.fail('unexpected right paren');
        return this.push('right-paren', at + 1);
      case '"':
        return this.quotedText('"', 'string', 'unterminated quoted string');
      case "'":
        return this.quotedText("'", 'character', 'unterminated character constant');
      case '`': {
        const end = source.indexOf('`', at + 1);
        return end < 0 ? this.fail('unterminated raw quoted string') : this.push('string', end + 1);
      }
      case '$':
        return this.named('variable');
      case '.':
        if (!/[0-9]/.test(source[at + 1] ?? '')) return this.named('field');
    }
    if (/[0-9+\-.]/.test(character)) return this.number();
    if (isAlphanumeric(character)) return this.word();
    if (/[!-~]/.test(character)) return this.push('other', at + 1);
    return this.fail(`unrecognized character in action: ${runeName(character)}`);
  }

  private quotedText(mark: string, kind: TokenKind, failure: string): boolean {
    for (let end = this.at + 1; end < this.source.length; end++) {
      const character = this.source[end];
      if (character === '\\') end++;
      else if (character === '\n') break;
      else if (character === mark) return this.push(kind, end + 1);
    }
    return this.fail(failure);
  }

  private named(kind: 'field' | 'variable'): boolean {
    let end = this.at + 1;
    while (end < this.source.length && isAlphanumeric(this.source[end]!)) end++;
    if (!this.terminatedAt(end)) return this.fail(`bad character ${runeName(this.source[end]!)}`);
    return this.push(kind === 'field' && end === this.at + 1 ? 'dot' : kind, end);
  }

  private number(): boolean {
    const found =
      /^[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9_]*\.?[0-9_]*([eE][+-]?[0-9_]+)?)/.exec(
        this.source.slice(this.at, this.at + 100),
      )![0];
    const end = this.at + found.length;
    if (!/[0-9]/.test(found) || (end < this.source.length && isAlphanumeric(this.source[end]!)))
      return this.fail(`bad number syntax: ${quoted(this.source.slice(this.at, end + 1))}`);
    return this.push('number', end);
  }

  private word(): boolean {
    let end = this.at;
    while (end < this.source.length && isAlphanumeric(this.source[end]!)) end++;
    const word = this.source.slice(this.at, end);
    if (!this.terminatedAt(end)) return this.fail(`bad character ${runeName(this.source[end]!)}`);
    if (KEYWORDS.has(word)) return this.push('keyword', end);
    if (word === 'true' || word === 'false') return this.push('bool', end);
    return this.push(word === 'nil' ? 'nil' : 'identifier', end);
  }

  /** What may follow a word; everything else is an error, so that `.a-b` is not taken for `.a` and `-b`. */
  private terminatedAt(at: number): boolean {
    const next = this.source[at];
    return next === undefined || `${SPACE}.,|:()=`.includes(next) || this.source.startsWith('}}', at);
  }

  private push(kind: TokenKind, end: number): true {
    this.tokens.push({ kind, text: this.source.slice(this.at, end), at: this.at, line: this.line });
    this.advanceTo(end);
    return true;
  }

  private advanceTo(end: number): void {
    for (let at = this.at; at < end; at++) if (this.source[at] === '\n') this.line++;
    this.at = end;
  }

  private fail(message: string): false {
    this.tokens.push({ kind: 'error', text: message, at: this.at, line: this.line });
    return false;
  }
}

/** Octets beyond ASCII belong to letters. */
const isAlphanumeric = (character: string): boolean => /[0-9A-Za-z_\x80-\xff]/.test(character);

const runeName = (character: string): string =>
  `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${character}'`;

/** The value of a quoted or raw string token. @throws TemplateError */
export function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('\r', '');
  return text
    .slice(1, -1)
    .replace(ESCAPE, (_all, simple: string, octal: string, hex: string, short: string, long: string) => {
      const rune = short || long;
      if (hex || octal) {
        const value = parseInt(hex || octal, hex ? 16 : 8);
        if (value > 0xff) throw new TemplateError('invalid syntax');
        return String.fromCharCode(value);
      }
      if (rune) {
        const code = parseInt(rune, 16);
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new TemplateError('invalid syntax');
        return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
      }
      const value = simple ? SIMPLE[simple] : undefined;
      if (value === undefined) throw new TemplateError('invalid syntax');
      return value;
    });
}

const ESCAPE = /\\(?:([^0-7xuU])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.|$)/g;
const SIMPLE: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  f: '\f',
  b: '\b',
  a: '\x07',
  '\\': '\\',
  '"': '"',
  "'": "'",
};
