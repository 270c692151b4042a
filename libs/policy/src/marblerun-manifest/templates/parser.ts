import { didYouMean } from '../../spelling.js';
import { tokenize, tokenName, unquote, type Token, type TokenKind } from './lexer.js';
import { termText, type BranchNode, type Command, type Node, type Pipe, type Term } from './nodes.js';
import { quoted, TemplateError } from './template-error.js';

/** Deeper than any template that a person writes. */
const MAX_DEPTH = 64;
const MAX_INT = 2n ** 63n - 1n;
const OPERANDS = new Set<TokenKind>([
  'bool',
  'character',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'string',
  'variable',
  'left-paren',
]);

/**
 * Parses a template: the subset of Go's text/template without `define`, `block` and `template`.
 * @param source octets
 * @param name as it stands in messages
 * @param functions names that may be called
 * @throws TemplateError with Go's message
 */
export function parse(source: string, name: string, functions: ReadonlySet<string>): readonly Node[] {
  return new Parser(tokenize(source), name, functions).run();
}

interface Body {
  readonly nodes: Node[];
  readonly ended: 'eof' | 'end' | 'else';
}

class Parser {
  private next = 0;
  private current: Token;
  private actionLine = 0;
  private depth = 0;
  private loops = 0;
  private variables = ['$'];

  constructor(
    private readonly tokens: readonly Token[],
    private readonly name: string,
    private readonly functions: ReadonlySet<string>,
  ) {
    this.current = tokens[0]!;
  }

  run(): readonly Node[] {
    const { nodes, ended } = this.body();
    if (ended !== 'eof') this.fail(`unexpected {{${ended}}}`);
    return nodes;
  }

  private body(): Body {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.take();
      if (token.kind === 'eof') return { nodes, ended: 'eof' };
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text });
      else if (token.kind === 'open') {
        this.actionLine = token.line;
        const node = this.action();
        if (node === 'end' || node === 'else') return { nodes, ended: node };
        nodes.push(node);
      } else this.unexpected(token, 'input');
    }
  }

  private action(): Node | 'end' | 'else' {
    const token = this.takeNonSpace();
    if (token.kind !== 'keyword') {
      this.back();
      const pipe = this.pipeline('command', 'close');
      return { kind: 'action', pipe };
    }
    switch (token.text) {
      case 'end':
        this.expect('close', 'end');
        return 'end';
      case 'else': {
        const after = this.peekNonSpace();
        if (after.kind === 'keyword' && (after.text === 'if' || after.text === 'with')) return 'else';
        this.expect('close', 'else');
        return 'else';
      }
      case 'if':
      case 'with':
      case 'range':
        return this.branch(token.text);
      case 'break':
      case 'continue':
        this.expect('close', `{{${token.text}}}`);
        if (this.loops === 0) this.fail(`{{${token.text}}} outside {{range}}`);
        return { kind: token.text };
      default:
        return this.fail(`{{${token.text}}} is not supported in manifests`);
    }
  }

  private branch(kind: BranchNode['kind']): BranchNode {
    if (++this.depth > MAX_DEPTH) this.fail('nested too deep');
    const scope = this.variables.length;
    const pipe = this.pipeline(kind, 'close');
    if (kind === 'range') this.loops++;
    const body = this.body();
    if (kind === 'range') this.loops--;
    let otherwise: Node[] = [];
    if (body.ended === 'else') {
      const chained = this.peekNonSpace();
      if (chained.kind === 'keyword') {
        if (chained.text !== kind) this.unexpected(chained, 'else');
        this.takeNonSpace();
        otherwise = [this.branch(kind)];
        this.leave(scope);
        return { kind, pipe, body: body.nodes, otherwise };
      }
      const rest = this.body();
      if (rest.ended !== 'end') this.unexpectedEnd(rest.ended);
      otherwise = rest.nodes;
    } else if (body.ended === 'eof') this.unexpectedEnd('eof');
    this.leave(scope);
    return { kind, pipe, body: body.nodes, otherwise };
  }

  private leave(scope: number): void {
    this.variables.length = scope;
    this.depth--;
  }

  private pipeline(context: string, end: TokenKind): Pipe {
    const first = this.peekNonSpace();
    const { variables, assigns } = this.declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.takeNonSpace();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.unexpected(token, context);
      this.back();
      commands.push(this.command());
    }
    if (commands.length === 0) this.fail(`missing value for ${context}`);
    commands.slice(1).forEach(({ args: [arg] }, index) => {
      if (arg && ['constant', 'dot', 'nil'].includes(arg.kind))
        this.fail(`non executable command in pipeline stage ${index + 2}`);
    });
    if (!assigns) this.variables.push(...variables);
    return { kind: 'pipe', at: first.at, variables, assigns, commands };
  }

  /** `$x :=`, `$x =`, and for range `$i, $e :=`. */
  private declaration(context: string): { variables: string[]; assigns: boolean } {
    const start = this.next;
    const variables: string[] = [];
    while (this.peekNonSpace().kind === 'variable') {
      variables.push(this.takeNonSpace().text);
      const token = this.takeNonSpace();
      if (token.kind === 'declare' || token.kind === 'assign') {
        const assigns = token.kind === 'assign';
        if (assigns) variables.forEach((name) => this.requireVariable(name));
        return { variables, assigns };
      }
      if (token.kind === 'comma' && context === 'range' && variables.length < 2) continue;
      if (token.kind === 'comma') this.fail(`too many declarations in ${context}`);
      break;
    }
    this.next = start;
    return { variables: [], assigns: false };
  }

  private command(): Command {
    const { at } = this.peekNonSpace();
    const args: Term[] = [];
    for (;;) {
      this.peekNonSpace();
      const operand = this.operand();
      if (operand) args.push(operand);
      const token = this.take();
      if (token.kind === 'space') continue;
      if (token.kind === 'close' || token.kind === 'right-paren') this.back();
      else if (token.kind !== 'pipe') this.unexpected(token, 'operand');
      break;
    }
    if (args.length === 0) this.fail('empty command');
    return { at, args };
  }

  private operand(): Term | undefined {
    const term = this.term();
    if (!term || this.peek().kind !== 'field') return term;
    // Go's position of a chain is that of its second member.
    const { at } = this.peek();
    const path: string[] = [];
    while (this.peek().kind === 'field') path.push(this.take().text.slice(1));
    if (term.kind === 'field' || term.kind === 'variable')
      return { ...term, at, path: [...term.path, ...path] };
    if (term.kind === 'constant' || term.kind === 'nil' || term.kind === 'dot')
      this.fail(`unexpected . after term ${quoted(termText(term))}`);
    return { kind: 'chain', at, of: term, path };
  }

  private term(): Term | undefined {
    const token = this.takeNonSpace();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        if (!this.functions.has(text))
          this.fail(`function ${quoted(text)} not defined`, didYouMean(text, this.functions));
        return { kind: 'identifier', at, name: text };
      case 'dot':
      case 'nil':
        return { kind: token.kind, at };
      case 'variable':
        this.requireVariable(text);
        return { kind: 'variable', at, name: text, path: [] };
      case 'field':
        return { kind: 'field', at, path: [text.slice(1)] };
      case 'bool':
        return { kind: 'constant', at, value: text === 'true', text };
      case 'number':
      case 'character':
      case 'string':
        return { kind: 'constant', at, value: this.constant(token), text };
      case 'left-paren': {
        if (++this.depth > MAX_DEPTH) this.fail('nested too deep');
        const pipe = this.pipeline('parenthesized pipeline', 'right-paren');
        this.depth--;
        return pipe;
      }
      default:
        this.back();
        return undefined;
    }
  }

  private constant({ kind, text }: Token): string | bigint | number {
    try {
      if (kind === 'string') return unquote(text);
      if (kind === 'character') {
        const [rune, ...others] = Buffer.from(unquote(text), 'latin1').toString('utf8');
        if (rune === undefined || others.length > 0)
          return this.fail(`malformed character constant: ${text}`);
        return BigInt(rune.codePointAt(0)!);
      }
    } catch (error) {
      if (error instanceof TemplateError && error.message === 'invalid syntax') this.fail('invalid syntax');
      throw error;
    }
    const plain = text.replaceAll('_', '');
    const [, sign, digits] = /^([+-]?)(.*)$/.exec(plain)!;
    const octal = /^0([0-7]+)$/.exec(digits!);
    if (octal || /^(0[xob].+|[1-9][0-9]*|0)$/i.test(digits!)) {
      const magnitude = BigInt(octal ? `0o${octal[1]!}` : digits!);
      if (magnitude > MAX_INT) this.fail(`integer overflow: ${quoted(text)}`);
      return sign === '-' ? -magnitude : magnitude;
    }
    const value = Number(plain);
    if (!Number.isFinite(value)) this.fail(`illegal number syntax: ${quoted(text)}`);
    return value;
  }

  private requireVariable(name: string): void {
    if (!this.variables.includes(name))
      this.fail(`undefined variable ${quoted(name)}`, didYouMean(name, this.variables.slice(1)));
  }

  private take(): Token {
    this.current = this.tokens[Math.min(this.next, this.tokens.length - 1)]!;
    this.next++;
    return this.current;
  }

  private takeNonSpace(): Token {
    let token = this.take();
    while (token.kind === 'space') token = this.take();
    return token;
  }

  private peek(): Token {
    const token = this.take();
    this.back();
    return token;
  }

  private peekNonSpace(): Token {
    const token = this.takeNonSpace();
    this.back();
    return token;
  }

  private back(): void {
    this.next--;
  }

  private expect(kind: TokenKind, context: string): void {
    const token = this.takeNonSpace();
    if (token.kind !== kind) this.unexpected(token, context);
  }

  private unexpectedEnd(ended: Body['ended']): never {
    return ended === 'eof' ? this.fail('unexpected EOF') : this.fail(`expected end; found {{${ended}}}`);
  }

  private unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') return this.fail(`unexpected ${tokenName(token)} in ${context}`);
    let where = '';
    if (this.actionLine !== 0 && this.actionLine !== token.line) {
      where = ` in action started at ${this.name}:${this.actionLine}`;
      if (token.text.endsWith(' action')) where = where.slice(' in action'.length);
    }
    return this.fail(`${token.text}${where}`);
  }

  private fail(message: string, suggestion?: string): never {
    const { line, at } = this.current;
    throw new TemplateError(`template: ${this.name}:${line}: ${message}`, { at, suggestion });
  }
}
