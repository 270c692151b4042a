import { digestOf, otherDigestOf } from '../index/digests.js';
import { DICTIONARIES, type Dictionary } from '../index/facts.js';
import { type FieldFilter, hasFields, namedValue } from '../index/field-values.js';
import type { IndexedEvent } from '../index/indexed-fields.js';
import { intersect, NOTHING, type Offsets, unite } from '../index/offsets.js';
import { wordsOf } from '../index/reason-words.js';
import type { SearchedSegment } from '../index/searched-segment.js';
import { type DigestKind, fieldDigestOf, fieldTermOf, type TermKind } from '../index/term-kinds.js';
import type { ScopedFilters } from './query-schema.js';

/** How a query is answered. */
export interface SearchPlan {
  /** The events of a segment that the index gives. */
  candidates: (segment: SearchedSegment) => Offsets;
  /** What the index cannot decide alone: fields that it does not have, or only by a digest. */
  confirm: ((event: IndexedEvent) => boolean) | undefined;
}

const filterOf = (kind: Dictionary) => (kind === 'tcb' ? 'tcbStatus' : kind);

/** Turns filters into terms and digests that a segment is asked for. */
export function searchPlan(filters: ScopedFilters): SearchPlan {
  const { session, tenants, text, fields = [] } = filters;
  const digests: (readonly [kind: DigestKind, digest: number])[] = [];
  const terms: (readonly [kind: TermKind, value: string])[] = [];
  /** Fields that have no kind of their own: their more frequent values are terms, the others digests. */
  const others: FieldFilter[] = [];
  const unsure = [...fields];
  if (session !== undefined) unsure.push({ path: 'session', value: session });
  for (const { path, value } of unsure) {
    const [term, digest] = [fieldTermOf(path), fieldDigestOf(path)];
    if (term !== undefined) terms.push([term, value]);
    else if (digest !== undefined) digests.push([digest, digestOf(value)]);
    else others.push({ path, value });
  }
  if (text !== undefined) for (const word of wordsOf(text)) terms.push(['word', word]);
  for (const kind of DICTIONARIES) {
    const value = filters[filterOf(kind)];
    if (value !== undefined) terms.push([kind, value]);
  }
  const confirmed = unsure.filter(({ path }) => fieldTermOf(path) === undefined);
  return {
    candidates: (segment) => candidatesIn(segment, { digests, terms, others, tenants }),
    confirm: confirmed.length === 0 ? undefined : (event) => hasFields(event, confirmed),
  };
}

interface Conditions {
  digests: readonly (readonly [DigestKind, number])[];
  terms: readonly (readonly [TermKind, string])[];
  others: readonly FieldFilter[];
  tenants: readonly string[] | undefined;
}

function candidatesIn(segment: SearchedSegment, { digests, terms, others, tenants }: Conditions): Offsets {
  const sets: Offsets[] = [];
  // Digests first: they leave the least to do.
  for (const [kind, digest] of digests) {
    const list = segment.candidates(kind, digest);
    if (list.length === 0) return NOTHING;
    sets.push({ list });
  }
  for (const [kind, value] of terms) {
    const set = segment.find(kind, value);
    if (!set) return NOTHING;
    sets.push(set);
  }
  for (const field of others) {
    const set = segment.find('field', namedValue(field));
    const list = segment.candidates('field', otherDigestOf(field.path, field.value));
    if (!set && list.length === 0) return NOTHING;
    sets.push(unite([...(set ? [set] : []), ...(list.length > 0 ? [{ list }] : [])]));
  }
  if (tenants !== undefined)
    sets.push(unite(tenants.flatMap((tenant) => segment.find('tenant', tenant) ?? [])));
  if (sets.length === 0) return segment.find('every', '') ?? NOTHING;
  // The shortest list first; bitmaps last.
  const size = (set: Offsets): number => ('list' in set ? set.list.length : Infinity);
  return sets.sort((a, b) => size(a) - size(b)).reduce(intersect);
}
