import { show, sprint, sprintf } from './printing.js';
import { TemplateError } from './template-error.js';
import { asBytes, isDictionary, isTrue, NO_VALUE, SecretPart, typeName, type Value } from './values.js';

/** A function of a template; its error becomes `error calling NAME: …`. */
export interface TemplateFunction {
  /** Number of arguments: at least, at most. */
  readonly arity: readonly [number, number];
  call(args: readonly Value[]): Value;
}

const ANY = Infinity;

/** The functions that Go's text/template predefines, as far as manifests use them. `and` and `or` are evaluated in place. */
export const BUILTINS: Readonly<Record<string, TemplateFunction>> = {
  and: { arity: [1, ANY], call: (args) => args.find((value) => !isTrue(value)) ?? args.at(-1)! },
  or: { arity: [1, ANY], call: (args) => args.find(isTrue) ?? args.at(-1)! },
  not: { arity: [1, 1], call: ([value]) => !isTrue(value!) },
  len: { arity: [1, 1], call: ([value]) => lengthOf(value!) },
  index: { arity: [1, ANY], call: ([value, ...keys]) => keys.reduce<Value>(element, value!) },
  print: { arity: [0, ANY], call: sprint },
  println: { arity: [0, ANY], call: (args) => `${args.map(show).join(' ')}\n` },
  printf: {
    arity: [1, ANY],
    call: ([format, ...args]) => {
      if (typeof format !== 'string') throw new TemplateError(`expected string; found ${typeName(format!)}`);
      return sprintf(format, args);
    },
  },
  eq: {
    arity: [1, ANY],
    call: ([first, ...others]) => {
      if (others.length === 0) throw new TemplateError('missing argument for comparison');
      return others.some((other) => equal(first!, other));
    },
  },
  ne: { arity: [2, 2], call: ([a, b]) => !equal(a!, b!) },
  lt: { arity: [2, 2], call: ([a, b]) => order(a!, b!) < 0 },
  le: { arity: [2, 2], call: ([a, b]) => order(a!, b!) <= 0 },
  gt: { arity: [2, 2], call: ([a, b]) => order(a!, b!) > 0 },
  ge: { arity: [2, 2], call: ([a, b]) => order(a!, b!) >= 0 },
};

function lengthOf(value: Value): bigint {
  if (value === null || value === NO_VALUE) throw new TemplateError('len of nil pointer');
  if (typeof value === 'string' || Buffer.isBuffer(value)) return BigInt(value.length);
  if (value instanceof SecretPart && value.label !== 'CERTIFICATE') return BigInt(value.bytes.length);
  if (isDictionary(value)) return BigInt(value.names().length);
  throw new TemplateError(`len of type ${typeName(value)}`);
}

function element(value: Value, key: Value): Value {
  if (value === null || value === NO_VALUE) throw new TemplateError('index of untyped nil');
  if (isDictionary(value)) {
    if (typeof key !== 'string') throw new TemplateError(`value has type ${typeName(key)}; should be string`);
    return value.get(key);
  }
  const bytes = asBytes(value);
  if (!Buffer.isBuffer(bytes)) throw new TemplateError(`can't index item of type ${typeName(value)}`);
  if (typeof key !== 'bigint') throw new TemplateError(`cannot index slice/array with type ${typeName(key)}`);
  const found = key < 0n ? undefined : bytes[Number(key)];
  if (found === undefined) throw new TemplateError(`index out of range: ${key}`);
  return BigInt(found);
}

type Basic = string | bigint | number | boolean;

function basic(value: Value): Basic {
  if (typeof value === 'object' || typeof value === 'symbol')
    throw new TemplateError('invalid type for comparison');
  return value;
}

function equal(a: Value, b: Value): boolean {
  const nothing = (value: Value): boolean => value === null || value === NO_VALUE;
  if (nothing(a) || nothing(b)) return nothing(a) && nothing(b);
  const [left, right] = [basic(a), basic(b)];
  requireSameType(a, b);
  return left === right;
}

function order(a: Value, b: Value): number {
  const [left, right] = [basic(a), basic(b)];
  requireSameType(a, b);
  if (typeof left === 'boolean') throw new TemplateError('invalid type for comparison');
  return left < right ? -1 : left > right ? 1 : 0;
}

function requireSameType(a: Value, b: Value): void {
  if (typeof a === typeof b) return;
  throw new TemplateError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}
