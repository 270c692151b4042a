import type { Mutation } from './byte-mutations.js';
import type { Random } from './random.js';

const WORDS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\',
  'null',
  'true',
  'false',
  'NaN',
  '-0',
  '1e999',
  '-1',
  '0.5',
  '1E5',
  '9007199254740993',
  '256',
  '65536',
  '4294967296',
  '"__proto__":{},',
  '"constructor":1,',
  '"toString":"x",',
  '"svn":',
  '"version":3,',
  '"tcbLevels":[],',
  '2026-01-01T00:00:00Z',
  '+00:00',
  '\u0000',
  '\ufeff',
  '\u2028',
  '\ud83d\ude00',
  'é',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '-----BEGIN CERTIFICATE-----',
  '-----END CERTIFICATE-----',
  '-----BEGIN X509 CRL-----',
  '=',
  '==',
  '-',
  'INTEL-SA-00001',
];
const VALUES: unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  'x',
  '00',
  'zz',
  'UpToDate',
  'Revoked',
  'Nope',
  'SGX',
  'TDX',
  'QE',
  'TDX_01',
  [],
  {},
  [[]],
  [null],
  [{}],
  { svn: 1 },
  '2026-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  'a'.repeat(5000),
];

type Holder = unknown[] | Record<string, unknown>;
const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;
const keysOf = (holder: Holder): string[] => Object.keys(holder);

function holders(value: unknown, into: Holder[] = []): Holder[] {
  if (!isHolder(value) || into.length > 500) return into;
  into.push(value);
  for (const inner of Object.values(value)) holders(inner, into);
  return into;
}

function editHolder(holder: Holder, random: Random): void {
  const keys = keysOf(holder);
  const key = random.pick(keys.length > 0 ? keys : ['0']);
  const members = holder as Record<string, unknown>;
  switch (random.below(6)) {
    case 0:
      members[key] = random.pick(VALUES);
      return;
    case 1:
      if (Array.isArray(holder)) holder.splice(random.below(holder.length), 1);
      else delete members[key];
      return;
    case 2:
      members[random.pick(['x', '__proto__', 'svn', 'id', 'tcb', 'constructor'])] = random.pick(VALUES);
      return;
    case 3:
      if (Array.isArray(holder))
        holder.push(...(Array(random.chance(10) ? 300 : 1).fill(holder[0]) as unknown[]));
      else members[key] = [members[key]];
      return;
    case 4: {
      const from = random.pick(keys.length > 0 ? keys : ['0']);
      [members[key], members[from]] = [members[from], members[key]];
      return;
    }
    default: {
      let nested = members[key];
      for (let depth = random.pick([1, 2, 30, 33, 400]); depth > 0; depth--)
        nested = random.chance(2) ? [nested] : { x: nested };
      members[key] = nested;
    }
  }
}

/** Changes the values of a JSON document; what is no JSON gets a word inserted. */
export const mutateJson: Mutation = (input, other, random) => {
  try {
    const document: unknown = JSON.parse(input.toString('utf8'));
    const all = holders(document);
    if (all.length === 0) return insertWord(input, other, random);
    for (let count = 1 + random.below(3); count > 0; count--) editHolder(random.pick(all), random);
    // Shared references can grow a document exponentially when it is written; refuse to write giants.
    const text = JSON.stringify(document) ?? 'null';
    return text.length > 2_000_000 ? input : Buffer.from(text);
  } catch {
    return insertWord(input, other, random);
  }
};

/** Inserts a word of the formats at a place between two tokens, or anywhere. */
export const insertWord: Mutation = (input, _, random) => {
  const text = input.toString('latin1');
  const marks = [...'{}[],:"\n']
    .map((mark) => text.indexOf(mark, random.below(text.length)))
    .filter((at) => at >= 0);
  const at =
    marks.length > 0 && !random.chance(3)
      ? random.pick(marks) + random.below(2)
      : random.below(text.length + 1);
  return Buffer.concat([input.subarray(0, at), Buffer.from(random.pick(WORDS)), input.subarray(at)]);
};

/** Repeats a `"key":` of the document with another value before it. */
export const repeatKey: Mutation = (input, _, random) => {
  const text = input.toString('latin1');
  const found = /"[A-Za-z_]+":/.exec(text.slice(random.below(text.length)))?.[0];
  if (found === undefined) return input;
  const at = text.indexOf(found);
  return Buffer.from(
    text.slice(0, at) + found + random.pick(['0', 'null', '"x"', '{}', '[]']) + ',' + text.slice(at),
    'latin1',
  );
};

/** Whole lines: duplicated, removed, swapped, joined, cut, with other ends. */
export const mutateLines: Mutation = (input, other, random) => {
  const lines = input.toString('latin1').split('\n');
  const donor = other.toString('latin1').split('\n');
  const at = random.below(lines.length);
  switch (random.below(7)) {
    case 0:
      lines.splice(at, 0, ...(Array(random.chance(20) ? 2000 : 1).fill(lines[at]) as string[]));
      break;
    case 1:
      lines.splice(at, 1 + random.below(3));
      break;
    case 2:
      lines.splice(at, 0, random.pick(donor));
      break;
    case 3:
      lines.splice(at, 2, (lines[at] ?? '') + (lines[at + 1] ?? ''));
      break;
    case 4:
      lines[at] = (lines[at] ?? '').slice(0, random.below(70));
      break;
    case 5:
      lines[at] = `${lines[at] ?? ''}${random.pick(['\r', ' ', '=', '\0', '\t', 'AAAA'])}`;
      break;
    default:
      return Buffer.from(lines.join(random.pick(['\r\n', '\r', '\n\n', '', ' \n'])), 'latin1');
  }
  return Buffer.from(lines.join('\n'), 'latin1');
};
