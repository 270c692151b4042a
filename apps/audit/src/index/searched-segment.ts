import type { DigestKind, TermKind } from './term-kinds.js';
import type { Offsets } from './offsets.js';
import type { TimeRuns } from './time-runs.js';

/** A range of positions as searches see it, sealed or not. An offset is the position less `above` less one. */
export interface SearchedSegment {
  /** The position before the first one. */
  readonly above: number;
  readonly last: number;
  /** The log's times of the first and the last event. */
  readonly firstTime: number;
  readonly lastTime: number;
  readonly times: TimeRuns;
  /** The events that have the value. */
  find(kind: TermKind, value: string): Offsets | undefined;
  /** Every value that events have. */
  values(kind: TermKind): Iterable<{ value: string; offsets: Offsets }>;
  /** The events that may have what the digest stands for, ascending. */
  candidates(kind: DigestKind, digest: number): number[];
}
