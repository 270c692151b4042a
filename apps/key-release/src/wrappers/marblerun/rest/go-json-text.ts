/** What Go's encoder escapes besides what JSON requires, so that the text can stand in HTML. */
const HTML: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/**
 * JSON as Go's encoder writes it: 64-bit integers whole, bytes as base64 or null, absent members left out, maps sorted by key.
 */
export function goJsonText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return text(value);
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (value instanceof Uint8Array) return text(Buffer.from(value).toString('base64'));
  if (Array.isArray(value)) return `[${value.map(goJsonText).join(',')}]`;
  if (value instanceof Map) return members([...value].sort(byBytes) as [string, unknown][]);
  return members(Object.entries(value as object).filter(([, member]) => member !== undefined));
}

const members = (entries: readonly (readonly [string, unknown])[]): string =>
  `{${entries.map(([name, member]) => `${text(name)}:${goJsonText(member)}`).join(',')}}`;

const text = (value: string): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => HTML[char] as string);

const byBytes = ([a]: [string, unknown], [b]: [string, unknown]): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));
