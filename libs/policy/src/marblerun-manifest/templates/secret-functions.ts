import type { TemplateFunction } from './builtins.js';
import { TemplateError } from './template-error.js';
import { NO_VALUE, SecretPart, SecretValue, type Value } from './values.js';

/**
 * The functions that turn secrets into text; source: reference marblerun.md §1.3. A secret as a whole stands for its public part, which
 * is the key itself for symmetric and plain ones.
 */
function bytesOf(value: Value): Buffer {
  if (value === null || value === NO_VALUE) throw new TemplateError('secret does not exist');
  const bytes =
    value instanceof SecretValue ? value.publicKey : value instanceof SecretPart ? value.bytes : undefined;
  if (bytes === undefined) throw new TemplateError('invalid secret type');
  return given(bytes);
}

function given(bytes: Buffer): Buffer {
  if (bytes.length === 0) throw new TemplateError('tried to parse secret with empty value');
  return bytes;
}

function pem(value: Value): string {
  if (value === null || value === NO_VALUE) throw new TemplateError('secret does not exist');
  if (!(value instanceof SecretPart)) throw new TemplateError('invalid secret type for pem encoding');
  return pemText(value.label, given(value.bytes));
}

function text(value: Value): string {
  if (value === null || value === NO_VALUE) throw new TemplateError('secret does not exist');
  if (!(value instanceof SecretValue)) throw new TemplateError('invalid secret type');
  if (value.type !== 'plain')
    throw new TemplateError('secrets can be converted to strings only if they are of type plain');
  const bytes = given(value.publicKey);
  if (bytes.includes(0)) throw new TemplateError('secret contains null bytes');
  return bytes.toString('latin1');
}

/** One PEM block with lines of 64 characters, as Go and OpenSSL write it. */
export function pemText(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

const one = (call: (value: Value) => string): TemplateFunction => ({
  arity: [1, 1],
  call: ([value]) => call(value!),
});
const FOR_ALL = {
  pem: one(pem),
  hex: one((value) => bytesOf(value).toString('hex')),
  base64: one((value) => bytesOf(value).toString('base64')),
};

/** In files, any bytes are allowed. */
export const FILE_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  ...FOR_ALL,
  raw: one((value) => bytesOf(value).toString('latin1')),
};
/** In variables of the environment, bytes that would end the value are not. */
export const ENV_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = { ...FOR_ALL, string: one(text) };
