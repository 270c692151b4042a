import { describe, expect, it } from '@jest/globals';
import { hasFields } from '../index/field-values.js';
import { enclaveStory, type Search, summaryOf } from './enclave-story.js';
import type { LoggedEvent } from './query-schema.js';

type Change = { type?: string; session?: string; data?: Record<string, unknown>; [member: string]: unknown };

/** A log of events, and the search over it that the reader gives. */
function logOf(...changes: Change[]): { events: LoggedEvent[]; search: Search } {
  const events = changes.map(({ type = 'attestation.granted', ...rest }, i): LoggedEvent => {
    const event = { id: `id-${i}`, type, outcome: 'granted', tenant: 'shop', ...rest };
    const loggedAt = new Date(i * 1_000).toISOString();
    return { position: i + 1, log: 'siegel.test/shop', index: i, loggedAt, event, kid: 'k', sig: 's' };
  });
  const search: Search = ({ filters, after = 0, limit }) => {
    const matching = events.filter(
      ({ event, position }) =>
        position > after &&
        (filters.session === undefined || event['session'] === filters.session) &&
        (filters.mrenclave === undefined || event['mrenclave'] === filters.mrenclave) &&
        (filters.tenants === undefined || filters.tenants.includes(event['tenant'] as string)) &&
        hasFields(event, filters.fields ?? []),
    );
    const page = matching.slice(0, limit);
    const more = matching.length > page.length;
    return Promise.resolve({ events: page, more, searchedTo: more ? page.at(-1)!.position : events.length });
  };
  return { events, search };
}
const attested = (key: string, session: string, evidence: string, platform = 'p1'): Change => ({
  session,
  mrenclave: 'aa',
  data: {
    boundKey: key,
    evidence: { sha256: evidence, platform },
    grants: [{ vault: 'v', objectName: 'o', objectType: 'secret', version: '1' }],
  },
});
const ids = ({ events }: { events: LoggedEvent[] }) => events.map(({ event }) => event.id);

describe('the story of an enclave', () => {
  const { search, events } = logOf(
    {
      type: 'attestation.denied',
      mrenclave: 'aa',
      data: { boundKey: 'k1', evidence: { sha256: 'e0', platform: 'p1' } },
    },
    attested('k9', 's9', 'e9', 'p9'),
    attested('k1', 's1', 'e1'),
    {
      type: 'release.granted',
      session: 's1',
      data: { boundKey: 'k1', grants: [{ vault: 'v', objectName: 'o', objectType: 'secret', version: '2' }] },
    },
    { type: 'service.started', data: { service: 'audit' } },
    attested('k1', 's2', 'e2'),
    {
      type: 'session.reappraised',
      mrenclave: 'aa',
      data: { after: 'OutOfDate', evidence: { sha256: 'e2' } },
    },
    { type: 'session.revoked', session: 's2', data: { actor: 'admin' } },
    { type: 'release.denied', session: 's2', data: { boundKey: 'k1' } },
    attested('k1', 's3', 'e3', 'p1'),
  );
  const mine = ['id-0', 'id-2', 'id-3', 'id-5', 'id-6', 'id-7', 'id-8', 'id-9'];

  it.each([{ session: 's1' }, { session: 's3' }, { boundKey: 'k1' }, { mrenclave: 'aa', platform: 'p1' }])(
    'is whole, whatever it is known by: %j',
    async (name) => {
      const story = await enclaveStory(name, {}, search);
      expect(ids(story)).toEqual(mine);
      expect(story.complete).toBe(true);
    },
  );

  it('is that of another machine by itself', async () => {
    expect(ids(await enclaveStory({ mrenclave: 'aa', platform: 'p9' }, {}, search))).toEqual(['id-1']);
    expect(ids(await enclaveStory({ mrenclave: 'bb', platform: 'p1' }, {}, search))).toEqual([]);
    expect(ids(await enclaveStory({ session: 'none' }, {}, search))).toEqual([]);
  });

  it('comes down to its first attestation, its last release and what it received', () => {
    const summary = summaryOf(
      events.filter(({ event }) => mine.includes(event.id)),
      true,
    );
    expect(summary).toMatchObject({
      events: 8,
      firstAttestation: { id: 'id-0', type: 'attestation.denied' },
      lastRelease: { id: 'id-9' },
      lastRevocation: { id: 'id-7' },
      sessions: ['s1', 's2', 's3'],
      boundKeys: ['k1'],
      platforms: ['p1'],
      tcbStatus: [{ status: 'OutOfDate', since: new Date(6_000).toISOString() }],
      byType: { 'attestation.granted': 3, 'release.granted': 1, 'release.denied': 1 },
    });
    expect(summary.received.map(({ version, first, last }) => [version, first, last])).toEqual([
      ['1', new Date(2_000).toISOString(), new Date(9_000).toISOString()],
      ['2', new Date(3_000).toISOString(), new Date(3_000).toISOString()],
    ]);
  });

  it('does not leave the tenants that the caller may see', async () => {
    const mixed = logOf(attested('k1', 's1', 'e1'), { ...attested('k1', 's2', 'e2'), tenant: 'bank' });
    expect(ids(await enclaveStory({ boundKey: 'k1' }, { tenants: ['shop'] }, mixed.search))).toEqual([
      'id-0',
    ]);
    expect(ids(await enclaveStory({ session: 's2' }, { tenants: ['shop'] }, mixed.search))).toEqual([]);
  });

  it('says when it is cut short', async () => {
    const long = logOf(...Array.from({ length: 5_400 }, () => ({ session: 's1', data: {} })));
    const { events: some, complete } = await enclaveStory({ session: 's1' }, {}, long.search);
    expect([some.length, complete]).toEqual([5_000, false]);
    const many = logOf(...Array.from({ length: 400 }, (_, i) => attested('k1', `s${i}`, `e${i}`)));
    expect((await enclaveStory({ boundKey: 'k1' }, {}, many.search)).complete).toBe(false);
  });
});
