import { fieldOf, namedValue } from './field-values.js';
import { GrowingOffsets } from './offsets.js';
import { TERM_KINDS, type TermKind } from './term-kinds.js';

/** The values of one field, with the events that have them. */
export type TermValues = Map<string, GrowingOffsets>;

/** The terms of a segment that is being filled. */
export class SegmentTerms {
  readonly #kinds = new Map<TermKind, TermValues>(TERM_KINDS.map((kind) => [kind, new Map()]));
  /** Of the kind `field`, by path. */
  readonly #others = new Map<string, TermValues>();
  #count = 0;

  /** Different values of all fields. */
  get count(): number {
    return this.#count;
  }

  /** The values of a kind other than `field`. */
  of(kind: TermKind): TermValues {
    return this.#kinds.get(kind)!;
  }

  /** The values of a field that has no kind of its own. */
  ofPath(path: string): TermValues {
    let values = this.#others.get(path);
    if (!values) this.#others.set(path, (values = new Map()));
    return values;
  }

  add(values: TermValues, value: string, offset: number): void {
    let growing = values.get(value);
    if (!growing) {
      values.set(value, (growing = new GrowingOffsets()));
      this.#count++;
    }
    growing.add(offset);
  }

  find(kind: TermKind, value: string): GrowingOffsets | undefined {
    if (kind !== 'field') return this.of(kind).get(value);
    const field = fieldOf(value);
    return this.#others.get(field.path)?.get(field.value);
  }

  /** The values that `find` takes. */
  *entries(kind: TermKind): Generator<[value: string, growing: GrowingOffsets]> {
    if (kind !== 'field') yield* this.of(kind);
    else
      for (const [path, values] of this.#others)
        for (const [value, growing] of values) yield [namedValue({ path, value }), growing];
  }

  addNamed(kind: TermKind, value: string, offsets: readonly number[]): void {
    const field = kind === 'field' ? fieldOf(value) : undefined;
    const values = field ? this.ofPath(field.path) : this.of(kind);
    for (const offset of offsets) this.add(values, field?.value ?? value, offset);
  }
}
