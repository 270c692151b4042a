import { MAX_MAA_POLICY_CHARACTERS, MaaPolicyError } from './syntax.js';

export type MaaTokenKind = 'word' | 'string' | 'number' | 'mark' | 'end';

export interface MaaToken {
  readonly kind: MaaTokenKind;
  /** The text; of a string what stands between its quotes. */
  readonly text: string;
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

const MAX_TOKENS = 20_000;
/** One alternative per kind; white space is skipped. Typographic quotes stand in Microsoft's own examples. */
const TOKEN =
  /(?<space>\s+)|(?<word>[A-Za-z_][A-Za-z0-9_-]*)|(?<number>-?\d+(?:\.\d+)?)|["“”](?<string>(?:[^"“”\\\n]|\\["\\])*)["“”]|(?<mark>=>|==|!=|<=|>=|&&|[=<>!;:,.(){}[\]])/y;

/** @throws MaaPolicyError MAA_POLICY_TOO_LARGE, MAA_POLICY_SYNTAX */
export function maaTokens(text: string): MaaToken[] {
  if (text.length > MAX_MAA_POLICY_CHARACTERS)
    throw new MaaPolicyError(
      'MAA_POLICY_TOO_LARGE',
      `a policy has at most ${MAX_MAA_POLICY_CHARACTERS} characters`,
      1,
      1,
    );
  const tokens: MaaToken[] = [];
  let line = 1;
  let lineStart = 0;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const column = at - lineStart + 1;
    const found = TOKEN.exec(text);
    if (found?.groups === undefined)
      throw new MaaPolicyError('MAA_POLICY_SYNTAX', `"${text[at]}" has no meaning here`, line, column);
    const { space, word, number, string, mark } = found.groups;
    if (space !== undefined) {
      for (let i = at; i < at + space.length; i++) {
        if (text[i] !== '\n') continue;
        line++;
        lineStart = i + 1;
      }
      continue;
    }
    const place = { at, line, column };
    if (word !== undefined) tokens.push({ kind: 'word', text: word, ...place });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, ...place });
    else if (string !== undefined)
      tokens.push({ kind: 'string', text: string.replace(/\\(["\\])/g, '$1'), ...place });
    else tokens.push({ kind: 'mark', text: mark ?? '', ...place });
    if (tokens.length > MAX_TOKENS)
      throw new MaaPolicyError(
        'MAA_POLICY_TOO_LARGE',
        `more than ${MAX_TOKENS} words and marks`,
        line,
        column,
      );
  }
  tokens.push({ kind: 'end', text: '', at: text.length, line, column: text.length - lineStart + 1 });
  return tokens;
}
