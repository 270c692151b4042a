/** A template that cannot be parsed or executed; the message is in the words of Go's text/template. It never holds a value. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  constructor(
    message: string,
    readonly place: TemplatePlace = {},
  ) {
    super(message);
  }
}

/** What a linter says beyond Go's message. */
export interface TemplatePlace {
  /** Octets from the beginning of the template. */
  readonly at?: number;
  /** What the writer most likely meant; text, not octets. */
  readonly suggestion?: string | undefined;
}

/**
 * A string as Go has it, bytes: each character is one octet (latin1). Everything inside this folder works on these; text from outside
 * is turned into its UTF-8 octets first.
 */
export const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** The text of octets, for the world outside. */
export const text = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');

/** Go's `%q` for octets: printable ASCII as it is, the rest escaped. */
export function quoted(text: string): string {
  const utf8 = Buffer.from(text, 'latin1').toString('utf8');
  let out = '';
  for (const character of utf8) {
    const code = character.codePointAt(0)!;
    if (character === '"' || character === '\\') out += `\\${character}`;
    else if (NAMED[character] !== undefined) out += NAMED[character];
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else out += character;
  }
  return octets(`"${out}"`);
}

const NAMED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\f': '\\f',
  '\b': '\\b',
  '\x07': '\\a',
};
