/** An entry as it is distributed: the leaf's bytes and what routes it. */
export interface StoredEvent {
  position: number;
  log: string;
  index: number;
  /** The log's time, Unix milliseconds. */
  time: number;
  entry: Uint8Array;
}

/** Entries on their way between threads: their bytes lie one after the other in one buffer, which is moved. */
export interface PackedEvents {
  bytes: ArrayBuffer;
  events: (Omit<StoredEvent, 'entry'> & { length: number })[];
}

export function unpack({ bytes, events }: PackedEvents): StoredEvent[] {
  let offset = 0;
  return events.map(({ length, ...event }) => {
    const entry = new Uint8Array(bytes, offset, length);
    offset += length;
    return { ...event, entry };
  });
}
