import { didYouMean } from '../spelling.js';
import { formatPath, quoted, type PathStep } from '../problem.js';
import type { LocatedDocument } from '../document/located.js';
import type { SessionFault } from './model.js';

type Members = Readonly<Record<string, unknown>>;

/** Gathers what is wrong while a session is read. */
export class SessionSource {
  readonly faults: SessionFault[] = [];
  constructor(readonly document: LocatedDocument) {}

  fault(path: readonly PathStep[], message: string): undefined {
    this.faults.push({ path: formatPath(path), message });
    return undefined;
  }

  /** A scalar as it is written: an unquoted `0.3`, or a measurement of digits, is text in this language. */
  scalar(path: readonly PathStep[], value: unknown): string | undefined {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return this.document.node(path)?.source ?? String(value);
    if (typeof value === 'boolean') return String(value);
    return undefined;
  }
}

/** One mapping of a session, read member by member; what nobody asked for is a fault at the end. */
export class Fields {
  private readonly asked = new Set<string>();

  private constructor(
    private readonly members: Members,
    readonly path: readonly PathStep[],
    readonly source: SessionSource,
  ) {}

  /** Undefined, and a fault, for what is no mapping. */
  static of(value: unknown, path: readonly PathStep[], source: SessionSource): Fields | undefined {
    if (isMembers(value)) return new Fields(value, path, source);
    return source.fault(path, `${quoted(value)} stands where a mapping belongs`);
  }

  at(key: string): readonly PathStep[] {
    return [...this.path, key];
  }

  fault(key: string, message: string): undefined {
    return this.source.fault(this.at(key), message);
  }

  /** Null counts as absent, as YAML's `~`. */
  raw(key: string): unknown {
    this.asked.add(key);
    return Object.hasOwn(this.members, key) ? (this.members[key] ?? undefined) : undefined;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  text(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    return this.source.scalar(this.at(key), value) ?? this.fault(key, 'is no text');
  }

  required(key: string): string {
    return this.text(key) ?? this.fault(key, 'is missing') ?? '';
  }

  matching(key: string, pattern: RegExp, what: string): string | undefined {
    const text = this.text(key);
    if (text === undefined || pattern.test(text)) return text;
    return this.fault(key, `must be ${what}`);
  }

  oneOf<T extends string>(key: string, words: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const known = words.find((word) => word === text);
    return known ?? this.fault(key, `is none of ${words.join(', ')}`);
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (value === undefined) return false;
    if (typeof value === 'boolean') return value;
    this.fault(key, 'is neither true nor false');
    return false;
  }

  number(key: string, most: number): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= most)
      return number;
    return this.fault(key, `is no number from 0 to ${most}`);
  }

  /** A list, or one thing that counts as a list of itself; each with its path. */
  list(key: string): [path: readonly PathStep[], value: unknown][] {
    const value = this.raw(key);
    if (value === undefined) return [];
    if (!Array.isArray(value)) return [[this.at(key), value]];
    return value.map((item: unknown, index) => [[...this.at(key), index], item]);
  }

  texts(key: string): string[] {
    return this.list(key).flatMap(([path, value]) => {
      const text = this.source.scalar(path, value);
      if (text === undefined) this.source.fault(path, 'is no text');
      return text === undefined ? [] : [text];
    });
  }

  mappings(key: string): Fields[] {
    return this.list(key).flatMap(([path, value]) => Fields.of(value, path, this.source) ?? []);
  }

  /** Each member; for mappings whose keys are names of the author. */
  entries(): [key: string, value: unknown][] {
    return Object.entries(this.members).map(([key, value]) => {
      this.asked.add(key);
      return [key, value];
    });
  }

  /** To be called when all known members were read: the rest is not understood. */
  end(): void {
    for (const key of Object.keys(this.members).filter((name) => !this.asked.has(name))) {
      const meant = didYouMean(key, this.asked);
      this.fault(key, `is not known${meant === undefined ? '' : `; did you mean "${meant}"?`}`);
    }
  }
}

export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
