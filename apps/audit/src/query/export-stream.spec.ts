import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import type { Search } from './enclave-story.js';
import { exportStream } from './export-stream.js';
import type { LoggedEvent } from './query-schema.js';

const EVENTS = 20_000;
const eventAt = (position: number): LoggedEvent => ({
  position,
  log: 'siegel.test/default',
  index: position - 1,
  loggedAt: new Date(position).toISOString(),
  event: { id: `id-${position}`, type: 'service.started', outcome: 'ok', emitter: { name: 'audit' } },
  kid: 'k',
  sig: 's',
});

/** A search over a long log that counts its calls. */
function longLog(): { search: Search; calls: () => number } {
  let calls = 0;
  const search: Search = ({ after = 0, limit }) => {
    calls++;
    const upTo = Math.min(after + limit, EVENTS);
    const events = Array.from({ length: upTo - after }, (_, i) => eventAt(after + 1 + i));
    return Promise.resolve({ events, more: upTo < EVENTS, searchedTo: upTo });
  };
  return { search, calls: () => calls };
}

describe('an export', () => {
  it('searches no further ahead than a few pages of what is read', async () => {
    const { search, calls } = longLog();
    const stream = exportStream(search, { format: 'ndjson', filters: {}, end: EVENTS });
    const reader = stream[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 5; taken++) {
      await reader.next();
      for (let i = 0; i < 50; i++) await setImmediate();
      expect(calls()).toBeLessThanOrEqual(taken + 4);
    }
    await reader.return?.();
    const seen = calls();
    for (let i = 0; i < 50; i++) await setImmediate();
    // Whoever goes away ends the search as well.
    expect(calls()).toBe(seen);
  });

  it.each(['ndjson', 'csv', 'ocsf'] as const)('has every event once, as %s', async (format) => {
    const { search } = longLog();
    let text = '';
    for await (const chunk of exportStream(search, { format, filters: {}, end: EVENTS }))
      text += chunk as string;
    const lines = text.trimEnd().split(format === 'csv' ? '\r\n' : '\n');
    expect(lines).toHaveLength(EVENTS + (format === 'csv' ? 1 : 0));
    expect(lines.at(-1)).toContain(`id-${EVENTS}`);
  });

  it('ends where the log ended when it was asked for', async () => {
    const { search } = longLog();
    let text = '';
    for await (const chunk of exportStream(search, { format: 'ndjson', filters: {}, end: 700 }))
      text += chunk as string;
    expect(text.trimEnd().split('\n')).toHaveLength(700);
  });

  it('goes on over pages that found nothing, and fails where the search does', async () => {
    let calls = 0;
    const search: Search = () => {
      calls++;
      if (calls === 4) return Promise.reject(new Error('the store is gone'));
      return Promise.resolve({ events: [], more: true, searchedTo: calls });
    };
    const stream = exportStream(search, { format: 'ndjson', filters: {}, end: 100 });
    await expect(stream.toArray()).rejects.toThrow('the store is gone');
  });
});
