import { quoted } from './template-error.js';
import { asBytes, NO_VALUE, SecretPart, type Value } from './values.js';

/** Says that a value has no printed form of ours; the caller makes it an error of the template. */
export class Unprintable extends Error {}

/** Go's `%v`. Secrets and their parts are printed by the functions made for them alone. */
export function show(value: Value): string {
  if (value === NO_VALUE) return '<no value>';
  if (value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return showFloat(value);
  if (Buffer.isBuffer(value)) return `[${value.join(' ')}]`;
  if (value instanceof SecretPart && value.label !== 'CERTIFICATE') return `[${value.bytes.join(' ')}]`;
  throw new Unprintable();
}

/** Go's `%v` of a float64: shortest form, exponents from 21 digits on, of two digits at least. */
function showFloat(value: number): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Go's Sprint: a space between operands of which neither is a string. */
export function sprint(values: readonly Value[]): string {
  return values
    .map((value, at) => {
      const before = values[at - 1];
      const spaced = at > 0 && typeof value !== 'string' && typeof before !== 'string';
      return (spaced ? ' ' : '') + show(value);
    })
    .join('');
}

/** Go's Sprintf for the verbs v, s, d, q, x, X, t and %, with width, zero padding and left alignment. */
export function sprintf(format: string, values: readonly Value[]): string {
  let used = 0;
  const text = format.replace(
    /%([-0]*)(\d{0,3})(.|$)/gs,
    (_all, flags: string, width: string, verb: string) => {
      if (verb === '%') return '%';
      if (verb === '') return '%!(NOVERB)';
      if (used >= values.length) return `%!${verb}(MISSING)`;
      const written = verbatim(verb, values[used++]!);
      const wide = Number(width || 0);
      if (flags.includes('-')) return written.padEnd(wide);
      const zero = flags.includes('0') && /[dxXsv]/.test(verb);
      return zero && written.startsWith('-')
        ? `-${written.slice(1).padStart(wide - 1, '0')}`
        : written.padStart(wide, zero ? '0' : ' ');
    },
  );
  const extra = values.slice(used);
  return extra.length === 0
    ? text
    : `${text}%!(EXTRA ${extra.map((value) => `${goType(value)}=${show(value)}`).join(', ')})`;
}

function verbatim(verb: string, value: Value): string {
  const bytes = asBytes(value);
  switch (verb) {
    case 'v':
      return show(value);
    case 's':
      if (Buffer.isBuffer(bytes)) return bytes.toString('latin1');
      break;
    case 'q':
      if (Buffer.isBuffer(bytes)) return quoted(bytes.toString('latin1'));
      break;
    case 'd':
      if (typeof value === 'bigint') return String(value);
      break;
    case 't':
      if (typeof value === 'boolean') return String(value);
      break;
    case 'x':
    case 'X': {
      const digits = Buffer.isBuffer(bytes)
        ? bytes.toString('hex')
        : typeof value === 'bigint'
          ? value.toString(16)
          : undefined;
      if (digits !== undefined) return verb === 'X' ? digits.toUpperCase() : digits;
      break;
    }
  }
  return `%!${verb}(${goType(value)}=${show(value)})`;
}

function goType(value: Value): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  return typeof value === 'boolean' ? 'bool' : '[]uint8';
}
