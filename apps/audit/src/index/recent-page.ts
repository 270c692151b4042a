/** What some events that are not sealed yet add to the index. */
export interface RecentPage {
  /** Of their segment. */
  above: number;
  /** How many events the segment has with these. */
  count: number;
  terms: [kind: number, value: string, offsets: number[]][];
  /** For each kind digests and offsets in turn. */
  digests: number[][];
  /** Offsets and times of the runs that begin here, in turn. */
  times: number[];
}

/** The index alone writes and reads these. */
export const encodePage = (page: RecentPage): string => JSON.stringify(page);
export const decodePage = (text: string): RecentPage => JSON.parse(text) as RecentPage;
