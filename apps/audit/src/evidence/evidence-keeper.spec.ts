import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { OwnStatement } from '../sequencing/own-events.js';
import type { PackedEvents } from '../query/packed-events.js';
import type { ArchiveWriter } from './archive.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { EvidenceKeeper, type Retained } from './evidence-keeper.js';
import { evidenceKeys } from './evidence-keys.js';
import { PendingEvidence } from './pending-evidence.js';

const GRACE_MS = 60_000;
let now: number;
let log: { time: number; entry: Buffer }[];
let recorded: OwnStatement[];
let archive: EvidenceArchive;
let pending: PendingEvidence;
const quotes = Array.from({ length: 10 }, (_, i) => Buffer.from(`quote ${i}`));
const digest = (bytes: Buffer) => hash('sha256', bytes);

beforeEach(() => {
  [now, log, recorded] = [1_000_000, [], []];
  archive = new EvidenceArchive(
    new DatabaseSync(':memory:'),
    new EvidenceCipher(evidenceKeys([Buffer.alloc(32)])),
    {
      maxAgeMs: 1e12,
      maxBytes: 1e9,
    },
  );
  pending = new PendingEvidence();
});
afterEach(() => archive.close());

/** The archive as its thread answers. */
const client: Pick<ArchiveWriter, 'mark' | 'known' | 'commit'> = {
  mark: () => Promise.resolve(archive.mark),
  known: (digests) => Promise.resolve(archive.known(digests, now)),
  commit: (evidence, mark) => Promise.resolve(archive.commit(evidence, mark, now)),
};

function logged(
  quote: Buffer | undefined,
  { outcome = 'granted', type = 'attestation.granted', tenant = 'shop' } = {},
) {
  const data = quote && { evidence: { sha256: digest(quote), collateral: 'ab'.repeat(32) } };
  const event = {
    id: `id-${log.length}`,
    type,
    outcome,
    tenant,
    time: new Date(now).toISOString(),
    ...(data ? { data } : {}),
  };
  log.push({ time: now, entry: Buffer.from(JSON.stringify({ event, kid: 'k', sig: 's' })) });
}

async function keeper(retained: Retained = 'granted', handedToAll = false): Promise<EvidenceKeeper> {
  const created = new EvidenceKeeper(client, pending, {
    retained,
    graceMs: GRACE_MS,
    after: (position, limit) => {
      const rows = log.slice(position, position + limit);
      const bytes = Buffer.concat(rows.map(({ entry }) => entry));
      return Promise.resolve({
        bytes: new Uint8Array(bytes).buffer,
        events: rows.map(({ time, entry }, i) => ({
          position: position + i + 1,
          log: 'l',
          index: position + i,
          time,
          length: entry.length,
        })),
      } satisfies PackedEvents);
    },
    head: () => log.length,
    record: (statement) => recorded.push(statement),
    handedToAll,
    onProblem: (message) => {
      throw new Error(message);
    },
    now: () => now,
  });
  await created.start();
  return created;
}
const keptNow = () =>
  quotes.map((quote, i) => (archive.read(digest(quote), now) === undefined ? -1 : i)).filter((i) => i >= 0);
const hand = (...which: number[]) => which.forEach((i) => pending.put(digest(quotes[i]!), quotes[i]!, now));

describe('evidence', () => {
  it('is kept when an event names it, whichever comes first, and no other', async () => {
    const follower = await keeper();
    hand(0, 5);
    logged(quotes[0]);
    logged(undefined, { type: 'service.started' });
    logged(quotes[1]);
    await follower.step();
    expect(keptNow()).toEqual([0]);
    expect([follower.awaited, archive.mark]).toEqual([1, 2]);
    hand(1);
    await follower.step();
    expect(keptNow()).toEqual([0, 1]);
    expect([follower.awaited, archive.mark, pending.size]).toEqual([0, 3, 1]);
    expect(archive.info(digest(quotes[1]!), now)!.collateral).toBe('ab'.repeat(32));
    expect(recorded).toEqual([]);
  });

  it('of denials is kept only where that is wanted, of re-appraisals never again', async () => {
    const some = await keeper();
    hand(0, 1, 2);
    logged(quotes[0], { outcome: 'denied', type: 'attestation.denied' });
    logged(quotes[1], { outcome: 'alert', type: 'session.reappraised' });
    await some.step();
    expect([keptNow(), some.awaited]).toEqual([[], 0]);
    logged(quotes[2], { outcome: 'denied', type: 'attestation.denied' });
    const all = await keeper('all');
    await all.step();
    expect(keptNow()).toEqual([2]);
  });

  it('that does not come is recorded as missing, once and together, by tenant', async () => {
    const follower = await keeper();
    hand(3);
    for (const i of [0, 1, 3]) logged(quotes[i]);
    logged(quotes[2], { tenant: 'bank' });
    await follower.step();
    now += GRACE_MS - 1;
    await follower.step();
    expect(recorded).toEqual([]);
    now += 1;
    await follower.step();
    expect(recorded.map(({ type, tenant, outcome, data }) => ({ type, tenant, outcome, data }))).toEqual([
      {
        type: 'evidence.missing',
        tenant: 'shop',
        outcome: 'alert',
        data: {
          count: 2,
          missing: [0, 1].map((i) => ({ sha256: digest(quotes[i]!), event: `id-${i}` })),
        },
      },
      {
        type: 'evidence.missing',
        tenant: 'bank',
        outcome: 'alert',
        data: { count: 1, missing: [{ sha256: digest(quotes[2]!), event: 'id-3' }] },
      },
    ]);
    // Not forgotten before the record itself is surely in the log.
    expect(archive.mark).toBe(0);
    now += 4_000;
    await follower.step();
    expect([archive.mark, follower.awaited, recorded.length]).toEqual([4, 0, 2]);
    now += GRACE_MS;
    await follower.step();
    expect(recorded).toHaveLength(2);
  });

  it('that a former process was handed and did not keep is recorded behind the restart, not lost silently', async () => {
    const first = await keeper();
    hand(0);
    logged(quotes[0]);
    logged(quotes[1]);
    await first.step();
    logged(quotes[2]);
    expect(archive.mark).toBe(1);
    // The process is killed: what was handed over and not kept is gone with it.
    pending = new PendingEvidence();
    now += 1_000;
    const second = await keeper();
    await second.step();
    await second.step();
    expect(recorded.map(({ data }) => data)).toEqual([
      {
        count: 2,
        missing: [1, 2].map((i) => ({ sha256: digest(quotes[i]!), event: `id-${i}` })),
      },
    ]);
    expect(keptNow()).toEqual([0]);
  });

  it('that a former leader was handed is kept by the next one, which was handed a copy, now or within the grace', async () => {
    const first = await keeper('granted', true);
    logged(quotes[0]);
    logged(quotes[1]);
    logged(quotes[2]);
    await first.step();
    // Another process, with its own copy of what was handed over before and of what comes late.
    pending = new PendingEvidence();
    hand(0);
    now += 1_000;
    const second = await keeper('granted', true);
    await second.step();
    expect([keptNow(), recorded]).toEqual([[0], []]);
    hand(1);
    await second.step();
    expect([keptNow(), recorded]).toEqual([[0, 1], []]);
    now += GRACE_MS;
    await second.step();
    expect(recorded.map(({ data }) => data)).toEqual([
      { count: 1, missing: [{ sha256: digest(quotes[2]!), event: 'id-2' }] },
    ]);
  });

  it('begins with the events to come where it was off before', async () => {
    logged(quotes[0]);
    logged(quotes[1]);
    const follower = await keeper();
    await follower.step();
    now += GRACE_MS * 2;
    await follower.step();
    expect([recorded, archive.mark]).toEqual([[], 2]);
  });

  it('is kept once for many events, and looked for once', async () => {
    const follower = await keeper();
    hand(0);
    for (let i = 0; i < 600; i++) logged(quotes[0]);
    expect(await follower.step()).toBe(true);
    expect(await follower.step()).toBe(true);
    expect(await follower.step()).toBe(false);
    expect([keptNow(), follower.awaited, archive.mark, recorded.length]).toEqual([[0], 0, 600, 0]);
  });
});
