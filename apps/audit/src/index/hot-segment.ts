import { leafHash } from '#transparency';
import { DigestColumn, digestOf, leafDigestOf } from './digests.js';
import { parseEntry } from './indexed-fields.js';
import { MAX_SEGMENT, type Offsets, walk } from './offsets.js';
import type { RecentPage } from './recent-page.js';
import { reasonText, wordsOf } from './reason-words.js';
import type { SearchedSegment } from './searched-segment.js';
import { SegmentTerms, type TermValues } from './segment-terms.js';
import { DIGEST_KINDS, type DigestKind, TERM_KINDS, type TermKind } from './term-kinds.js';
import { TimeRuns } from './time-runs.js';
import { type WalkedField, walkFields } from './walked-fields.js';

/** Other fields that have a value of their own in nearly every event. */
const UNIQUE: ReadonlySet<string> = new Set(['time', 'emitter.seq', 'data.tokenId']);
/** Values of another field that a segment has as terms; further ones become digests. */
const MAX_VALUES = 1_024;
/** No query has a longer word: its text has 200 characters at most (query-schema.ts), each of which may become 18. */
const MAX_WORD = 4_000;
/** Different values that a segment may have in memory. */
const MAX_TERMS = 50_000;

/** The last events of the log, in memory until they are sealed. */
export class HotSegment implements SearchedSegment {
  readonly times = new TimeRuns();
  readonly #terms = new SegmentTerms();
  readonly #every = this.#terms.of('every');
  readonly #words = this.#terms.of('word');
  readonly #digests = new Map<DigestKind, DigestColumn>(
    DIGEST_KINDS.map((kind) => [kind, new DigestColumn()]),
  );
  readonly #leaves = this.#digests.get('leaf')!;
  readonly #others = this.#digests.get('field')!;
  /** Where the values of a field go, by its number. */
  readonly #fields: (TermValues | DigestColumn | undefined)[] = [];
  #count = 0;

  constructor(
    readonly above: number,
    private readonly limit = MAX_SEGMENT,
  ) {}

  get last(): number {
    return this.above + this.#count;
  }

  get count(): number {
    return this.#count;
  }

  get firstTime(): number {
    return this.times.first;
  }

  get lastTime(): number {
    return this.times.last;
  }

  /** It must be sealed before more is added. */
  get full(): boolean {
    return this.#count >= this.limit || this.#terms.count >= MAX_TERMS;
  }

  /** Adds the entry at the next position. */
  add(entry: Uint8Array, time: number): void {
    const { event } = parseEntry(entry);
    const offset = this.#count++;
    this.times.add(offset, time);
    this.#terms.add(this.#every, '', offset);
    walkFields(event, (field, value) => this.#field(field, value, offset));
    for (const word of wordsOf(reasonText(event)))
      if (word.length <= MAX_WORD) this.#terms.add(this.#words, word, offset);
    this.#leaves.add(leafDigestOf(leafHash(entry)), offset);
  }

  find(kind: TermKind, value: string): Offsets | undefined {
    return this.#terms.find(kind, value)?.offsets;
  }

  *values(kind: TermKind): Generator<{ value: string; offsets: Offsets }> {
    for (const [value, { offsets }] of this.#terms.entries(kind)) yield { value, offsets };
  }

  candidates(kind: DigestKind, digest: number): number[] {
    return this.#digests.get(kind)!.find(digest);
  }

  digests(kind: DigestKind): DigestColumn {
    return this.#digests.get(kind)!;
  }

  /** How far the digests are, to be given to `pageSince` for what comes then. */
  mark(): PageMark {
    return { count: this.#count, digests: DIGEST_KINDS.map((kind) => this.#digests.get(kind)!.count) };
  }

  /** What came since the mark. */
  pageSince({ count, digests }: PageMark): RecentPage {
    const terms: RecentPage['terms'] = [];
    for (const [number, kind] of TERM_KINDS.entries())
      for (const [value, growing] of this.#terms.entries(kind)) {
        if (growing.last < count) continue;
        terms.push([number, value, [...walk(growing.offsets, count, this.#count, 'oldest')]]);
      }
    return {
      above: this.above,
      count: this.#count,
      terms,
      digests: DIGEST_KINDS.map((kind, i) => this.#digests.get(kind)!.since(digests[i]!)),
      times: this.times.since(count),
    };
  }

  /** Adds the page that follows. */
  take({ count, terms, digests, times }: RecentPage): void {
    for (const [kind, value, offsets] of terms) this.#terms.addNamed(TERM_KINDS[kind]!, value, offsets);
    for (const [i, pairs] of digests.entries()) {
      const column = this.#digests.get(DIGEST_KINDS[i]!)!;
      for (let at = 0; at < pairs.length; at += 2) column.add(pairs[at]!, pairs[at + 1]!);
    }
    for (let at = 0; at < times.length; at += 2) this.times.add(times[at]!, times[at + 1]!);
    this.#count = count;
  }

  #field(field: WalkedField, value: string, offset: number): void {
    const into = (this.#fields[field.number] ??= this.#placeOf(field));
    if (into instanceof DigestColumn) into.add(digestOf(value, field.seed), offset);
    else if (field.term !== undefined || into.size < MAX_VALUES) this.#terms.add(into, value, offset);
    // What became a term stays one: both are looked up.
    else this.#others.add(digestOf(value, field.seed), offset);
  }

  #placeOf({ path, term, digest }: WalkedField): TermValues | DigestColumn {
    if (term !== undefined) return this.#terms.of(term);
    if (digest !== undefined) return this.#digests.get(digest)!;
    return UNIQUE.has(path) ? this.#others : this.#terms.ofPath(path);
  }
}

/** How much a segment had. */
export interface PageMark {
  count: number;
  /** Of each kind. */
  digests: number[];
}
