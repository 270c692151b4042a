import { randomUUID } from 'node:crypto';

/**
 * UUID version 7 (RFC 9562 §5.7): sorts by time, so that an index over ids stays append-only. The random bits are those of a version 4
 * UUID, which Node draws in batches: an entropy call per event costs more than the rest of this.
 */
export function eventId(now: number): string {
  const time = now.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
