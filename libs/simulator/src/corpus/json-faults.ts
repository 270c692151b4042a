/** Where a value stands in a JSON document. */
export type JsonPath = (string | number)[];

/** What kind of value a member must be; each kind has its wrong values. */
export type FieldKind =
  | { type: 'hex'; bytes: number }
  | { type: 'integer'; max: number }
  | { type: 'date' }
  | { type: 'list' }
  | { type: 'object' }
  | { type: 'text' };

const WRONG_TYPES: [string, unknown][] = [
  ['null', null],
  ['a boolean', true],
];

function wrongHex(bytes: number): [string, unknown][] {
  const good = '0'.repeat(2 * bytes);
  return [
    ['a number', 0],
    ['empty', ''],
    ['a digit short', good.slice(1)],
    ['a byte short', good.slice(2)],
    ['a byte long', `${good}00`],
    ['no hex', `g${good.slice(1)}`],
    ['with a prefix', `0x${good.slice(2)}`],
    ['with a space', ` ${good.slice(1)}`],
    ['a list', [good]],
  ];
}

const wrongInteger = (max: number): [string, unknown][] => [
  ['a string', '1'],
  ['negative', -1],
  ['a fraction', 1.5],
  ['above its range', max + 1],
  ['a list', [1]],
];

const WRONG_DATES: [string, unknown][] = [
  ['a number', 1_700_000_000],
  ['empty', ''],
  ['a day alone', '2026-02-20'],
  ['without a zone', '2026-02-20T00:00:00'],
  ['with an offset', '2026-02-20T00:00:00+00:00'],
  ['with milliseconds', '2026-02-20T00:00:00.000Z'],
  ['with a space', '2026-02-20 00:00:00Z'],
  ['the 30th of February', '2026-02-30T00:00:00Z'],
  ['month 13', '2026-13-01T00:00:00Z'],
  ['hour 24', '2026-02-20T24:00:00Z'],
  ['in words', 'Fri, 20 Feb 2026 00:00:00 GMT'],
  ['with a leading plus', '+002026-02-20T00:00:00Z'],
];

const WRONG_LISTS: [string, unknown][] = [
  ['an object', {}],
  ['a string', 'x'],
  ['with null inside', [null]],
  ['with a number inside', [5]],
];

const WRONG_OBJECTS: [string, unknown][] = [
  ['a list', []],
  ['a string', 'x'],
  ['a number', 1],
  ['empty', {}],
];

/** Every wrong value of a kind, named. `undefined` means absent. */
export function wrongValues(kind: FieldKind): [string, unknown][] {
  const specific: Record<FieldKind['type'], () => [string, unknown][]> = {
    hex: () => wrongHex((kind as { bytes: number }).bytes),
    integer: () => wrongInteger((kind as { max: number }).max),
    date: () => WRONG_DATES,
    list: () => WRONG_LISTS,
    object: () => WRONG_OBJECTS,
    text: () => [
      ['a number', 5],
      ['a list', ['x']],
      ['an object', {}],
    ],
  };
  return [['absent', undefined], ...WRONG_TYPES, ...specific[kind.type]()];
}

/** A deep copy of a document in which one member has another value, or is absent. */
export function withMember<T>(document: T, path: JsonPath, value: unknown): T {
  const copy = structuredClone(document) as Record<string | number, unknown>;
  const last = path[path.length - 1] as string | number;
  const holder = path.slice(0, -1).reduce((at, step) => at[step] as Record<string | number, unknown>, copy);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy as T;
}

/** Text in which one key of an object occurs twice with the same value, first occurrence of the key. */
export function withRepeatedKey(text: string, key: string): string {
  const at = text.indexOf(`"${key}":`);
  return `${text.slice(0, at)}"${key}":0,${text.slice(at)}`;
}

/** Texts that no strict JSON reader accepts, or that hold no document. */
export const WRONG_TEXTS: [string, (text: string) => string][] = [
  ['empty text', () => ''],
  ['null', () => 'null'],
  ['a list around it', (text) => `[${text}]`],
  ['a string of it', (text) => JSON.stringify(text)],
  ['cut at the end', (text) => text.slice(0, -1)],
  ['text after it', (text) => `${text}{}`],
  ['a NUL after it', (text) => `${text}\0`],
  ['a byte order mark', (text) => `\ufeff${text}`],
  ['a comment', (text) => text.replace('{', '{/* */')],
  ['a trailing comma', (text) => text.replace(/\}$/, ',}')],
  ['single quotes', (text) => text.replaceAll('"', "'")],
  ['an unquoted key', (text) => text.replace('"version"', 'version')],
  ['NaN', (text) => text.replace(/"version":\d/, '"version":NaN')],
  ['a number with a leading zero', (text) => text.replace(/"version":/, '"version":0')],
  ['a number with a plus', (text) => text.replace(/"version":/, '"version":+')],
  ['an infinite number', (text) => text.replace(/"version":\d/, '"version":1e999')],
  ['a bad escape', (text) => text.replace('"version"', '"v\\ersion"')],
  ['a control character in a string', (text) => text.replace('"version"', '"vers\u0001ion"')],
  ['forty levels of nesting', (text) => text.replace(/\}$/, `,"x":${'['.repeat(40)}${']'.repeat(40)}}`)],
  [
    'twenty thousand levels of nesting',
    (text) => text.replace(/\}$/, `,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
  ],
];
