import { badParameter, objectOf, type JsonObject } from './wire.js';

/** Attributes that secrets, keys and certificates share. Times are Unix seconds. */
export interface Attributes {
  readonly enabled: boolean;
  readonly nbf?: number;
  readonly exp?: number;
  readonly created: number;
  readonly updated: number;
}

export type Tags = Readonly<Record<string, string>>;

const LIMITS = { tags: 15 } as const;

export function readAttributes(value: unknown, now: number, previous?: Attributes): Attributes {
  const sent = value === undefined || value === null ? {} : objectOf(value, 'attributes');
  const enabled = sent['enabled'] ?? previous?.enabled ?? true;
  if (typeof enabled !== 'boolean') throw badParameter('Property attributes.enabled is not a boolean.');
  const nbf = timeOf(sent, 'nbf') ?? previous?.nbf;
  const exp = timeOf(sent, 'exp') ?? previous?.exp;
  if (nbf !== undefined && exp !== undefined && exp <= nbf)
    throw badParameter('Property exp must be greater than nbf.');
  return {
    enabled,
    ...(nbf === undefined ? {} : { nbf }),
    ...(exp === undefined ? {} : { exp }),
    created: previous?.created ?? now,
    updated: now,
  };
}

export function readTags(value: unknown, maxChars: number): Tags | undefined {
  if (value === undefined || value === null) return undefined;
  const entries = Object.entries(objectOf(value, 'tags'));
  if (entries.length > LIMITS.tags)
    throw badParameter(`The number of tags exceeds the maximum of ${LIMITS.tags}.`);
  for (const [key, text] of entries) {
    if (typeof text !== 'string' || key.length > maxChars || text.length > maxChars) {
      throw badParameter(`Tag ${key.slice(0, 40)} is not a string of at most ${maxChars} characters.`);
    }
  }
  return Object.fromEntries(entries) as Tags;
}

/** As they appear on the wire. */
export const wireAttributes = (attributes: Attributes, recoverableDays: number): JsonObject => ({
  ...attributes,
  recoveryLevel: 'Recoverable+Purgeable',
  recoverableDays,
});

function timeOf(sent: JsonObject, key: 'nbf' | 'exp'): number | undefined {
  const value = sent[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw badParameter(`Property attributes.${key} is not a Unix time.`);
  }
  return value;
}
