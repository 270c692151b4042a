import { DICTIONARY_PATHS, type Dictionary, DIGESTED_FACTS, NAMED_FACTS, type NamedFact } from './facts.js';

/** Fields of which the embedded index has every value, with the offsets of the events that have it. */
export const TERM_PATHS: Readonly<Record<Dictionary | NamedFact | 'platform', string>> = {
  ...DICTIONARY_PATHS,
  ...NAMED_FACTS,
  // Of machines there are few, next to what attests on them.
  platform: DIGESTED_FACTS.platform,
};
export type FieldTerm = keyof typeof TERM_PATHS;

/**
 * A field; a word of reasons and failed conditions; with `PATH:VALUE`, any other field; with the empty value, being there.
 */
export type TermKind = FieldTerm | 'word' | 'field' | 'every';

/** A kind's number in the file; an index with other kinds is of another version (index-database.ts). */
export const TERM_KINDS: readonly TermKind[] = [
  'every',
  'word',
  'field',
  ...(Object.keys(TERM_PATHS) as FieldTerm[]),
];
export const termKindNumber = new Map(TERM_KINDS.map((kind, number) => [kind, number]));

const fieldTerms = new Map<string, FieldTerm>(
  Object.entries(TERM_PATHS).map(([kind, path]) => [path, kind as FieldTerm]),
);
/** The kind of term that a field is, if it is one. */
export const fieldTermOf = (path: string): FieldTerm | undefined => fieldTerms.get(path);

/** What is almost unique: a digest is kept instead of the value, and a match is confirmed on the event itself. */
export const DIGEST_PATHS = {
  id: 'id',
  session: 'session',
  bound_key: DIGESTED_FACTS.bound_key,
  evidence: DIGESTED_FACTS.evidence,
} as const;
/** `leaf` is the leaf hash of the whole entry; `field`, of `PATH:VALUE`, any other field that has too many values to be a term. */
export type DigestKind = keyof typeof DIGEST_PATHS | 'leaf' | 'field';
export const DIGEST_KINDS = ['leaf', 'field', ...Object.keys(DIGEST_PATHS)] as DigestKind[];

const fieldDigests = new Map<string, DigestKind>(
  Object.entries(DIGEST_PATHS).map(([kind, path]) => [path, kind as DigestKind]),
);
/** The kind of digest that the index has of a field, if any. */
export const fieldDigestOf = (path: string): DigestKind | undefined => fieldDigests.get(path);
