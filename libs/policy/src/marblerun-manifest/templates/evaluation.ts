import { didYouMean } from '../../spelling.js';
import { BUILTINS, type TemplateFunction } from './builtins.js';
import {
  commandText,
  pipeText,
  termText,
  type BranchNode,
  type Command,
  type Node,
  type Pipe,
  type Term,
} from './nodes.js';
import { show, Unprintable } from './printing.js';
import { quoted, TemplateError, text } from './template-error.js';
import {
  isDictionary,
  isTrue,
  NO_VALUE,
  SECRET_MEMBERS,
  SecretPart,
  SecretValue,
  Structure,
  type Dictionary,
  typeName,
  type Value,
} from './values.js';

/** Nodes executed and octets written by one template: far more than any parameter of a marble needs. */
const MAX_STEPS = 20_000;
const MAX_OCTETS = 4 * 1024 * 1024;

export interface TemplateSource {
  readonly name: string;
  readonly source: string;
  readonly functions: Readonly<Record<string, TemplateFunction>>;
}

/** What templates have cost so far, for who bounds many of them together. */
export interface Tally {
  steps: number;
  octets: number;
}

/** Executes a parsed template. @returns octets @throws TemplateError with Go's message */
export function evaluate(
  nodes: readonly Node[],
  template: TemplateSource,
  data: Value,
  tally?: Tally,
): string {
  const run = new Evaluation(template, data);
  run.walk(nodes, data);
  if (tally) {
    tally.steps += run.steps;
    tally.octets += run.out.length;
  }
  return run.out;
}

type Flow = 'on' | 'break' | 'continue';
interface Variable {
  readonly name: string;
  value: Value;
}

class Evaluation {
  out = '';
  steps = 0;
  /** Where a name was last looked up in vain. */
  private missing: { readonly name: string; readonly of: Dictionary } | undefined;
  private readonly variables: Variable[];

  constructor(
    private readonly template: TemplateSource,
    data: Value,
  ) {
    this.variables = [{ name: '$', value: data }];
  }

  walk(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      this.step();
      switch (node.kind) {
        case 'text':
          this.write(node.text);
          break;
        case 'action': {
          const value = this.pipe(node.pipe, dot);
          if (node.pipe.variables.length === 0) this.write(this.printed(node.pipe, value));
          break;
        }
        case 'break':
        case 'continue':
          return node.kind;
        default: {
          const flow = node.kind === 'range' ? this.range(node, dot) : this.branch(node, dot);
          if (flow !== 'on') return flow;
        }
      }
    }
    return 'on';
  }

  private branch({ kind, pipe, body, otherwise }: BranchNode, dot: Value): Flow {
    const mark = this.variables.length;
    const value = this.pipe(pipe, dot);
    const flow = isTrue(value) ? this.walk(body, kind === 'with' ? value : dot) : this.walk(otherwise, dot);
    this.variables.length = mark;
    return flow;
  }

  private range({ pipe, body, otherwise }: BranchNode, dot: Value): Flow {
    const mark = this.variables.length;
    const value = this.pipe(pipe, dot);
    const items = this.items(pipe, value);
    if (items.length === 0) {
      const flow = this.walk(otherwise, dot);
      this.variables.length = mark;
      return flow;
    }
    const names = pipe.variables;
    for (const [key, item] of items) {
      this.step();
      this.variables.length = mark;
      if (names.length === 1) this.set(names[0]!, item, pipe.assigns);
      if (names.length === 2) {
        this.set(names[0]!, key, pipe.assigns);
        this.set(names[1]!, item, pipe.assigns);
      }
      if (this.walk(body, item) === 'break') break;
    }
    this.variables.length = mark;
    return 'on';
  }

  private items(pipe: Pipe, value: Value): (readonly [Value, Value])[] {
    if (value === null || value === NO_VALUE) return [];
    if (isDictionary(value)) return [...value.names()].sort().map((name) => [name, value.get(name)]);
    const bytes = value instanceof SecretPart ? value.bytes : value;
    if (Buffer.isBuffer(bytes)) return [...bytes].map((byte, at) => [BigInt(at), BigInt(byte)]);
    if (typeof value === 'bigint' && value <= BigInt(MAX_STEPS))
      return Array.from({ length: Math.max(0, Number(value)) }, (_none, at) => [BigInt(at), BigInt(at)]);
    return this.fail(pipe.at, pipeText(pipe), `range can't iterate over ${this.printed(pipe, value)}`);
  }

  private pipe(pipe: Pipe, dot: Value): Value {
    let value: Value | undefined;
    for (const command of pipe.commands) value = this.command(command, dot, value);
    if (pipe.variables.length === 1) this.set(pipe.variables[0]!, value!, pipe.assigns);
    return value!;
  }

  private set(name: string, value: Value, assigns: boolean): void {
    const known = assigns ? this.variables.findLast((variable) => variable.name === name) : undefined;
    if (known) known.value = value;
    else this.variables.push({ name, value });
  }

  private command(command: Command, dot: Value, piped: Value | undefined): Value {
    this.step();
    const [first, ...others] = command.args;
    if (first!.kind === 'identifier') return this.call(first!.name, command, others, dot, piped);
    if (others.length > 0 || piped !== undefined) {
      if (first!.kind === 'nil') return this.fail(command.at, commandText(command), 'nil is not a command');
      const what =
        first!.kind === 'field'
          ? `${first!.path.at(-1)} has arguments but cannot be invoked as function`
          : `can't give argument to non-function ${termText(first!)}`;
      return this.fail(first!.at, termText(first!), what);
    }
    if (first!.kind === 'nil') return this.fail(command.at, commandText(command), 'nil is not a command');
    return this.term(first!, dot);
  }

  private call(
    name: string,
    command: Command,
    terms: readonly Term[],
    dot: Value,
    piped: Value | undefined,
  ): Value {
    const own = this.template.functions;
    const called = Object.hasOwn(own, name) ? own[name]! : BUILTINS[name]!;
    const count = terms.length + (piped === undefined ? 0 : 1);
    const [least, most] = called.arity;
    if (count < least || count > most) {
      const want = most === Infinity ? `at least ${least}` : `${least}`;
      return this.fail(command.at, name, `wrong number of args for ${name}: want ${want} got ${count}`);
    }
    const args: Value[] = [];
    for (const term of terms) {
      args.push(this.argument(term, dot));
      if ((name === 'and' && !isTrue(args.at(-1)!)) || (name === 'or' && isTrue(args.at(-1)!)))
        return args.at(-1)!;
    }
    if (piped !== undefined) args.push(piped);
    try {
      const result = called.call(args);
      if (result === NO_VALUE) this.note(args[0]!, args[1]!);
      return result;
    } catch (error) {
      if (error instanceof Unprintable)
        return this.fail(
          command.at,
          commandText(command),
          `error calling ${name}: a secret cannot be printed`,
        );
      if (!(error instanceof TemplateError)) throw error;
      const meant = args.includes(NO_VALUE) ? this.meant() : undefined;
      return this.fail(command.at, commandText(command), `error calling ${name}: ${error.message}`, meant);
    }
  }

  private argument(term: Term, dot: Value): Value {
    if (term.kind === 'nil') return null;
    if (term.kind === 'identifier')
      return this.call(term.name, { at: term.at, args: [term] }, [], dot, undefined);
    return this.term(term, dot);
  }

  private term(term: Term, dot: Value): Value {
    switch (term.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'constant':
        return term.value;
      case 'pipe':
        return this.pipe(term, dot);
      case 'field':
        return this.fields(dot, term.path, term);
      case 'variable':
        return this.fields(this.variables.findLast(({ name }) => name === term.name)!.value, term.path, term);
      case 'chain':
        return this.fields(this.term(term.of, dot), term.path, term);
      case 'identifier':
        return this.call(term.name, { at: term.at, args: [term] }, [], dot, undefined);
    }
  }

  private fields(from: Value, path: readonly string[], term: Term): Value {
    let value = from;
    for (const name of path) {
      if (value === NO_VALUE) return NO_VALUE;
      if (value === null)
        return this.fail(term.at, termText(term), `nil data; no entry for key ${quoted(name)}`);
      if (isDictionary(value)) {
        const found = value.get(name);
        if (found === NO_VALUE) this.note(value, name);
        value = found;
        continue;
      }
      const member =
        value instanceof SecretValue
          ? value.member(name)
          : value instanceof Structure
            ? value.members.get(name)
            : value instanceof SecretPart && value.label === 'CERTIFICATE' && name === 'Raw'
              ? value.bytes
              : undefined;
      if (member === undefined)
        return this.fail(
          term.at,
          termText(term),
          `can't evaluate field ${name} in type ${typeName(value)}`,
          closest(name, memberNames(value)),
        );
      value = member;
    }
    return value;
  }

  private printed(pipe: Pipe, value: Value): string {
    try {
      return show(value);
    } catch (error) {
      if (!(error instanceof Unprintable)) throw error;
      return this.fail(pipe.at, pipeText(pipe), `can't print ${pipeText(pipe)} of type ${typeName(value)}`);
    }
  }

  private write(text: string): void {
    if (this.out.length + text.length > MAX_OCTETS)
      throw new TemplateError(`template: ${this.template.name}: the output exceeds ${MAX_OCTETS} bytes`);
    this.out += text;
  }

  private step(): void {
    if (++this.steps > MAX_STEPS)
      throw new TemplateError(`template: ${this.template.name}: more than ${MAX_STEPS} steps`);
  }

  private note(of: Value, name: Value): void {
    if (isDictionary(of) && typeof name === 'string') this.missing = { name, of };
  }

  private meant(): string | undefined {
    return this.missing && closest(this.missing.name, this.missing.of.names());
  }

  private fail(at: number, context: string, message: string, suggestion?: string): never {
    const before = this.template.source.slice(0, at);
    const line = before.split('\n').length;
    const column = at - (before.lastIndexOf('\n') + 1);
    throw new TemplateError(
      `template: ${this.template.name}:${line}:${column}: executing ${quoted(this.template.name)} at <${context}>: ${message}`,
      { at, suggestion },
    );
  }
}

const closest = (name: string, candidates: readonly string[]): string | undefined =>
  didYouMean(text(name), candidates.map(text));

function memberNames(value: Value): readonly string[] {
  if (value instanceof SecretValue) return SECRET_MEMBERS;
  return value instanceof Structure ? [...value.members.keys()] : [];
}
