import type { IndexedEvent } from './indexed-fields.js';

const MAX_WORDS = 256;

/**
 * The words of a text as the full-text index has them: letters and digits, lower case, without accents. Both sides go through
 * this, so that no database's tokenizer has anything to decide.
 */
export function wordsOf(text: string): string[] {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MAX_WORDS);
}

/** What a search for words looks through: why something was decided, and each condition that failed. */
export function reasonText({ reason, data }: IndexedEvent & { data?: unknown }): string {
  const { conditions } = (data ?? {}) as { conditions?: { name: string; ok: boolean }[] };
  const failed = (conditions ?? []).filter(({ ok }) => !ok).map(({ name }) => name);
  return [reason?.code, reason?.message, ...failed].filter((part) => part !== undefined).join(' ');
}
