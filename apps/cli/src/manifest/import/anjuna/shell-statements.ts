/** One simple command of a script. */
export interface ShellStatement {
  /** Line of its first word, from 1. */
  readonly line: number;
  /** Words with quotes and variables resolved. */
  readonly words: readonly string[];
  /** Why its meaning is not certain; then `words` may be incomplete and nothing may be concluded from them. */
  readonly unclear?: string;
}

export class ShellSyntaxError extends Error {
  override readonly name = 'ShellSyntaxError';
}

const MAX_STATEMENTS = 10_000;
const MAX_WORD = 64 * 1024;
/** Longer values are not remembered: variables made of variables could grow without bound. */
const MAX_VALUE = 1_024;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;
/** After one of these it is no longer certain whether, or how often, a command runs. */
const CONTROL = new Set([
  ...['if', 'then', 'else', 'elif', 'fi', 'for', 'while', 'until', 'do', 'done', 'case', 'esac', 'select'],
  ...[
    'function',
    '{',
    '}',
    '!',
    '[[',
    'eval',
    'source',
    '.',
    'exec',
    'trap',
    'return',
    'exit',
    'unset',
    'read',
  ],
]);
/** Of these it is expected that they succeed, so that what is behind "&&" runs. */
const SUCCEEDING = /^(?:set|cd|echo|printf|export|true|:|(?:.*\/)?anjuna-policy-manager)$/;
/** Builtins that set variables when they are given assignments. */
const DECLARING = new Set(['export', 'readonly', 'local', 'declare', 'typeset']);

/**
 * The simple commands of a shell script, as far as they can be read without running it: comments, continuation lines, quotes, and
 * variables that the script itself sets to plain values (POSIX.1-2017, Shell Command Language §2.2, §2.3, §2.9.1). What lies behind
 * control flow, substitutions or unset variables is marked unclear.
 *
 * @throws ShellSyntaxError for quotes that do not end, here-documents, and too many commands
 */
export function readStatements(script: string): ShellStatement[] {
  return new StatementReader(script).read();
}

class StatementReader {
  private at = 0;
  private line = 1;
  private readonly variables = new Map<string, string>();
  private readonly found: ShellStatement[] = [];
  private words: string[] = [];
  private word: string | undefined;
  private first = 1;
  private unclear: string | undefined;
  /** Set for good once control flow was met: what follows may or may not run. */
  private conditional: string | undefined;
  private redirected = false;

  constructor(private readonly text: string) {}

  read(): ShellStatement[] {
    while (this.at < this.text.length) this.step();
    this.endStatement();
    return this.found;
  }

  private step(): void {
    const char = this.text[this.at]!;
    const next = this.text[this.at + 1];
    if (char === '\\') {
      if (next === '\r' && this.text[this.at + 2] === '\n') this.advance(3);
      else if (next === '\n') this.advance(2);
      else this.append(next ?? '', 2);
    } else if (char === "'") this.append(this.upTo("'"), 0);
    else if (char === '"') this.doubleQuoted();
    else if (char === '$') this.append(this.variable(true), 0);
    else if (char === '`') {
      this.doubt('a command substitution');
      this.advance(1);
    } else if (char === '#' && this.word === undefined) this.comment();
    else if (char === ' ' || char === '\t' || char === '\r') {
      this.endWord();
      this.advance(1);
    } else if (char === '\n' || char === ';') {
      this.endStatement();
      this.advance(1);
    } else if (char === '&' || char === '|') this.operator(char, next);
    else if (char === '<' || char === '>') this.redirect(char, next);
    else if (char === '(' || char === ')') {
      this.doubt('a subshell or function');
      this.conditional = 'a subshell or function';
      this.advance(1);
    } else {
      if (char === '*' || char === '?' || char === '[') this.doubt('a pattern');
      if ((char === '~' && this.word === undefined) || char === '{') this.doubt('an expansion');
      this.append(char, 1);
    }
  }

  private operator(char: string, next: string | undefined): void {
    if (char === '&' && next === '&') {
      this.endWord();
      const [left = ''] = this.words;
      const inherited =
        this.unclear ?? (SUCCEEDING.test(left) ? undefined : 'it depends on the command before it');
      this.endStatement();
      this.unclear = inherited;
      this.advance(2);
      return;
    }
    if (char === '&' && next === '>') {
      this.advance(1);
      this.redirect('>', this.text[this.at + 1]);
      return;
    }
    const alternative = char === '|' && next === '|';
    if (!alternative) this.doubt(char === '|' ? 'a pipe' : 'it runs in the background');
    this.endStatement();
    if (char === '|') this.unclear = alternative ? 'it runs only if another fails' : 'a pipe';
    this.advance(alternative ? 2 : 1);
  }

  /** Where output goes says nothing about what is authorized; where input comes from might. */
  private redirect(char: string, next: string | undefined): void {
    if (char === '<') {
      if (next === '<') throw new ShellSyntaxError(`line ${this.line}: a here-document`);
      this.doubt('input from a file');
    }
    // The number of a file descriptor, as in "2>", is no word.
    if (this.word !== undefined && /^\d$/.test(this.word)) this.word = undefined;
    this.endWord();
    this.advance(next === '>' || next === '&' ? 2 : 1);
    this.redirected = true;
  }

  private doubleQuoted(): void {
    const start = this.line;
    this.advance(1);
    this.append('', 0);
    for (;;) {
      const char = this.text[this.at];
      const next = this.text[this.at + 1] ?? '';
      if (char === undefined) throw new ShellSyntaxError(`line ${start}: a quotation mark without its end`);
      if (char === '"') break;
      if (char === '\\' && next === '\n') this.advance(2);
      else if (char === '\\' && '$`"\\'.includes(next)) this.append(next, 2);
      else if (char === '$') this.append(this.variable(false), 0);
      else {
        if (char === '`') this.doubt('a command substitution');
        this.append(char, 1);
      }
    }
    this.advance(1);
  }

  /** Value of the variable that begins here; what cannot be known makes the statement unclear. */
  private variable(bare: boolean): string {
    const name = /^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/.exec(
      this.text.slice(this.at, this.at + 256),
    );
    if (!name) {
      const substitution = this.text[this.at + 1] === '(';
      this.doubt(substitution ? 'a command substitution' : 'an expansion');
      const text = substitution ? this.substitution() : '$';
      this.advance(text.length);
      return text;
    }
    this.advance(name[0].length);
    const value = this.variables.get((name[1] ?? name[2])!);
    if (value === undefined) this.doubt(`the variable ${name[1] ?? name[2]} is not set to a plain value`);
    else if (bare && !/^[^\s*?[\]]+$/.test(value)) this.doubt('a variable that is split into words');
    return value ?? '';
  }

  /** The text to the parenthesis that closes it. It is not read as a command, only kept, so that what it mentions is seen. */
  private substitution(): string {
    let depth = 0;
    for (let end = this.at + 1; end < this.text.length; end++) {
      if (this.text[end] === '(') depth++;
      else if (this.text[end] === ')' && --depth === 0) return this.text.slice(this.at, end + 1);
    }
    throw new ShellSyntaxError(`line ${this.line}: a parenthesis without its end`);
  }

  private upTo(quote: string): string {
    const end = this.text.indexOf(quote, this.at + 1);
    if (end < 0) throw new ShellSyntaxError(`line ${this.line}: a quotation mark without its end`);
    const content = this.text.slice(this.at + 1, end);
    this.append('', 0);
    this.advance(end + 1 - this.at);
    return content;
  }

  private comment(): void {
    const end = this.text.indexOf('\n', this.at);
    this.advance((end < 0 ? this.text.length : end) - this.at);
  }

  private append(text: string, consumed: number): void {
    if (this.word === undefined && this.words.length === 0) this.first = this.line;
    this.word = (this.word ?? '') + text;
    if (this.word.length > MAX_WORD) throw new ShellSyntaxError(`line ${this.line}: a word is too long`);
    this.advance(consumed);
  }

  private advance(count: number): void {
    for (let left = count; left > 0; left--) if (this.text[this.at++] === '\n') this.line++;
  }

  private doubt(why: string): void {
    this.unclear ??= why;
    if (this.words.length === 0 && this.word === undefined) this.first = this.line;
  }

  private endWord(): void {
    if (this.word === undefined) return;
    if (this.redirected) this.redirected = false;
    else this.words.push(this.word);
    this.word = undefined;
  }

  private endStatement(): void {
    this.endWord();
    this.redirected = false;
    const { words } = this;
    const [command] = words;
    // "… || exit": whatever follows runs only if nothing failed.
    const leaves = this.unclear !== undefined && (command === 'exit' || command === 'return');
    if (command !== undefined && CONTROL.has(command) && !leaves)
      this.conditional ??= `it stands at or behind "${command}"`;
    const unclear = this.unclear ?? this.conditional;
    if (words.length > 0 || this.unclear !== undefined) {
      if (this.found.length >= MAX_STATEMENTS) throw new ShellSyntaxError('too many commands');
      this.assign(words, unclear);
      this.found.push({ line: this.first, words, ...(unclear === undefined ? {} : { unclear }) });
    }
    this.words = [];
    this.unclear = undefined;
  }

  /** Remembers what a statement of nothing but assignments sets; after an unclear one the variable is unknown. */
  private assign(words: readonly string[], unclear: string | undefined): void {
    const declared = DECLARING.has(words[0] ?? '') ? words.slice(1) : words;
    for (const word of declared) {
      const [, name, value] = ASSIGNMENT.exec(word) ?? [];
      if (name === undefined || value === undefined) {
        if (declared === words) return;
        continue;
      }
      // "NAME=value command" sets it for that command alone.
      if (declared === words && !words.every((one) => ASSIGNMENT.test(one))) return;
      if (unclear === undefined && value.length <= MAX_VALUE) this.variables.set(name, value);
      else this.variables.delete(name);
    }
  }
}
