import {
  MAA_ISSUERS,
  MaaPolicyError,
  type MaaAction,
  type MaaCondition,
  type MaaOperand,
  type MaaOperator,
  type MaaPolicy,
  type MaaProperty,
  type MaaRule,
  type MaaTest,
} from './syntax.js';
import { type MaaToken, maaTokens } from './tokens.js';

const MAX_RULES = 500;
const MAX_CONDITIONS = 16;
const MAX_TESTS = 8;
const PROPERTIES: readonly string[] = ['type', 'value', 'valuetype', 'issuer'];
const SECTIONS = {
  configurationrules: 'configuration',
  authorizationrules: 'authorization',
  issuancerules: 'issuance',
} as const;
type Section = (typeof SECTIONS)[keyof typeof SECTIONS];

/** Which actions a section may have; the rest would silently do nothing. */
const ACTIONS: Readonly<Record<Section, readonly string[]>> = {
  configuration: ['issueproperty'],
  authorization: ['permit', 'deny', 'add'],
  issuance: ['issue', 'add', 'issueproperty'],
};

/**
 * Parses a policy. Takes what Microsoft's documentation is careless about: letter case of keywords, `type=` for `type==`, curly
 * quotes, a missing semicolon after a section.
 * @throws MaaPolicyError
 */
export function parseMaaPolicy(text: string): MaaPolicy {
  return new Parser(text).policy();
}

class Parser {
  private readonly tokens: MaaToken[];
  private at = 0;
  private rules = 0;

  constructor(private readonly text: string) {
    this.tokens = maaTokens(text);
  }

  policy(): MaaPolicy {
    this.word('version');
    this.mark('=');
    const number = this.next();
    const version = number.text;
    if (version !== '1.0' && version !== '1.1' && version !== '1.2')
      throw this.fault(number, 'MAA_POLICY_UNSUPPORTED', 'versions 1.0, 1.1 and 1.2 are known');
    this.mark(';');
    const found: Partial<Record<Section, MaaRule[]>> = {};
    while (this.peek().kind !== 'end') {
      const token = this.next();
      const word = token.text.toLowerCase();
      const name = Object.hasOwn(SECTIONS, word) ? SECTIONS[word as keyof typeof SECTIONS] : undefined;
      if (token.kind !== 'word' || name === undefined)
        throw this.fault(token, 'MAA_POLICY_SYNTAX', 'expected authorizationrules or issuancerules');
      if (found[name] !== undefined)
        throw this.fault(token, 'MAA_POLICY_SYNTAX', `${token.text} stands there twice`);
      found[name] = this.section(name);
    }
    if (found.authorization === undefined)
      throw this.fault(this.peek(), 'MAA_POLICY_SYNTAX', 'authorizationrules are missing');
    const { configuration = [], authorization, issuance = [] } = found;
    return { version, configuration, authorization, issuance };
  }

  private section(section: Section): MaaRule[] {
    this.mark('{');
    const rules: MaaRule[] = [];
    while (!this.take('}')) rules.push(this.rule(section));
    this.take(';');
    return rules;
  }

  private rule(section: Section): MaaRule {
    const first = this.peek();
    if (++this.rules > MAX_RULES)
      throw this.fault(first, 'MAA_POLICY_TOO_LARGE', `a policy has at most ${MAX_RULES} rules`);
    const conditions: MaaCondition[] = [];
    const ids = new Set<string>();
    while (!this.take('=>')) {
      if (conditions.length > 0) this.mark('&&');
      if (conditions.length === MAX_CONDITIONS)
        throw this.fault(
          this.peek(),
          'MAA_POLICY_TOO_LARGE',
          `a rule has at most ${MAX_CONDITIONS} conditions`,
        );
      conditions.push(this.condition(ids));
    }
    const action = this.action(section, ids);
    this.mark(';');
    return { conditions, action, line: first.line };
  }

  private condition(ids: Set<string>): MaaCondition {
    const start = this.peek();
    let id: string | undefined;
    if (this.peek().kind === 'word') {
      const name = this.next();
      if (ids.has(name.text)) throw this.fault(name, 'MAA_POLICY_SYNTAX', `${name.text} is named twice`);
      this.mark(':');
      id = name.text;
    }
    const bang = this.peek();
    const negated = this.take('!');
    if (negated && id !== undefined)
      throw this.fault(
        bang,
        'MAA_POLICY_SYNTAX',
        'a negated condition finds no claim that could have a name',
      );
    this.mark('[');
    const tests: MaaTest[] = [];
    do {
      if (tests.length === MAX_TESTS)
        throw this.fault(
          this.peek(),
          'MAA_POLICY_TOO_LARGE',
          `a condition has at most ${MAX_TESTS} comparisons`,
        );
      tests.push(this.test(ids));
    } while (this.take(','));
    const end = this.mark(']');
    if (id !== undefined) ids.add(id);
    const text = this.text.slice(start.at, end.at + 1).replace(/\s+/g, ' ');
    return { ...(id === undefined ? {} : { id }), negated, tests, text };
  }

  private test(ids: ReadonlySet<string>): MaaTest {
    const property = this.property();
    const sign = this.next();
    const operator = (sign.text === '=' ? '==' : sign.text) as MaaOperator;
    if (!['==', '!=', '<=', '<', '>=', '>'].includes(operator))
      throw this.fault(sign, 'MAA_POLICY_SYNTAX', 'expected a comparison');
    const place = this.peek();
    const operand = this.operand(ids);
    if (property === 'issuer' && operand.kind === 'literal') {
      const known: readonly unknown[] = MAA_ISSUERS;
      if (!known.includes(operand.value))
        throw this.fault(place, 'MAA_POLICY_SYNTAX', `issuers are ${MAA_ISSUERS.join(', ')}`);
    }
    return { property, operator, operand };
  }

  private action(section: Section, ids: ReadonlySet<string>): MaaAction {
    const name = this.next();
    const action = name.text.toLowerCase();
    if (!ACTIONS[section].includes(action))
      throw this.fault(name, 'MAA_POLICY_SYNTAX', `here stands one of: ${ACTIONS[section].join(', ')}`);
    this.mark('(');
    if (action === 'permit' || action === 'deny') {
      this.mark(')');
      return { name: action };
    }
    const read: { type?: MaaOperand; value?: MaaOperand; claim?: string } = {};
    do {
      const member = this.next();
      const key = member.text.toLowerCase();
      if ((key !== 'type' && key !== 'value' && key !== 'claim') || read[key] !== undefined)
        throw this.fault(member, 'MAA_POLICY_SYNTAX', 'an action takes type and value, or claim');
      if (!this.take('=')) this.mark('==');
      if (key === 'claim') read.claim = this.known(ids);
      else read[key] = this.operand(ids);
    } while (this.take(','));
    this.mark(')');
    const { type, value, claim } = read;
    if (claim !== undefined && type === undefined && value === undefined && action !== 'issueproperty')
      return { name: action as 'add' | 'issue', claim };
    if (type === undefined || value === undefined || claim !== undefined)
      throw this.fault(name, 'MAA_POLICY_SYNTAX', `${action} takes type and value, or claim`);
    return { name: action as 'add' | 'issue' | 'issueproperty', type, value };
  }

  private operand(ids: ReadonlySet<string>): MaaOperand {
    const token = this.peek();
    if (token.kind === 'string') return { kind: 'literal', value: this.next().text };
    if (token.kind === 'number') {
      const value = Number(this.next().text);
      if (!Number.isSafeInteger(value))
        throw this.fault(token, 'MAA_POLICY_SYNTAX', 'numbers are integers below 2^53');
      return { kind: 'literal', value };
    }
    if (token.kind === 'word' && /^(true|false)$/i.test(token.text))
      return { kind: 'literal', value: this.next().text.toLowerCase() === 'true' };
    if (token.kind === 'word' && this.tokens[this.at + 1]?.text === '(')
      throw this.fault(token, 'MAA_POLICY_UNSUPPORTED', 'functions of version 1.2 are not supported here');
    const id = this.known(ids);
    this.mark('.');
    return { kind: 'reference', id, property: this.property() };
  }

  private known(ids: ReadonlySet<string>): string {
    const token = this.next();
    if (token.kind !== 'word' || !ids.has(token.text))
      throw this.fault(token, 'MAA_POLICY_SYNTAX', 'no condition before this has that name');
    return token.text;
  }

  private property(): MaaProperty {
    const token = this.next();
    const name = token.text.toLowerCase();
    if (token.kind !== 'word' || !PROPERTIES.includes(name))
      throw this.fault(token, 'MAA_POLICY_SYNTAX', 'expected type, value, valueType or issuer');
    return name as MaaProperty;
  }

  private peek(): MaaToken {
    return this.tokens[this.at] as MaaToken;
  }

  private next(): MaaToken {
    const token = this.peek();
    if (token.kind !== 'end') this.at++;
    return token;
  }

  private take(mark: string): boolean {
    const token = this.peek();
    if (token.kind !== 'mark' || token.text !== mark) return false;
    this.at++;
    return true;
  }

  private mark(mark: string): MaaToken {
    const token = this.peek();
    if (!this.take(mark)) throw this.fault(token, 'MAA_POLICY_SYNTAX', `expected "${mark}"`);
    return token;
  }

  private word(word: string): void {
    const token = this.next();
    if (token.kind !== 'word' || token.text.toLowerCase() !== word)
      throw this.fault(token, 'MAA_POLICY_SYNTAX', `expected "${word}"`);
  }

  private fault(token: MaaToken, code: MaaPolicyError['code'], message: string): MaaPolicyError {
    const found = token.kind === 'end' ? 'the end' : `"${token.text.slice(0, 40)}"`;
    return new MaaPolicyError(code, `${message}; found ${found}`, token.line, token.column);
  }
}
