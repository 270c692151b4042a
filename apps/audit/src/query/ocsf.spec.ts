import { AUDIT_EVENT_TYPES } from '#contracts';
import { describe, expect, it } from '@jest/globals';
import { ocsfEvent } from './ocsf.js';
import type { LoggedEvent } from './query-schema.js';

const logged = (type: string, change: object = {}): LoggedEvent => ({
  position: 7,
  log: 'siegel.test/default',
  index: 6,
  loggedAt: '2026-01-02T03:04:05.678Z',
  event: {
    id: '0198d3c5-0000-7000-8000-000000000000',
    type,
    outcome: 'denied',
    tenant: 'default',
    time: '2026-01-02T03:04:05.600Z',
    emitter: { name: 'key-release' },
    reason: { code: 'RELEASE_DENIED', message: 'not in the manifest' },
    ...change,
  },
  kid: 'k',
  sig: 's',
});

/** What each class requires beside the members of all (https://schema.ocsf.io/1.1.0). */
const REQUIRED: Readonly<Record<number, readonly string[]>> = {
  0: [],
  2_004: ['finding_info'],
  3_002: ['user', 'service'],
  3_003: ['user', 'privileges'],
  3_004: ['entity'],
  6_002: ['app'],
};

describe('OCSF', () => {
  it.each([...AUDIT_EVENT_TYPES, 'some.future'])('%s has what its class requires', (type) => {
    const event = ocsfEvent(logged(type, { data: {} }));
    const [uid, activity] = [Number(event['class_uid']), Number(event['activity_id'])];
    expect(event).toMatchObject({
      category_uid: Math.floor(uid / 1_000),
      type_uid: uid * 100 + activity,
      time: 1_767_323_045_600,
      severity_id: 3,
      status_id: 2,
      metadata: { version: '1.1.0', product: { vendor_name: 'Siegel' }, sequence: 6 },
    });
    expect(Object.keys(event)).toEqual(expect.arrayContaining([...REQUIRED[uid]!]));
  });

  it('names enclave, session and what was granted', () => {
    const event = ocsfEvent(
      logged('release.granted', {
        outcome: 'granted',
        workload: 'payments',
        mrenclave: 'ab',
        session: 's1',
        data: { grants: [{ vault: 'prod', alias: 'db-password' }] },
      }),
    );
    expect(event).toMatchObject({
      user: { name: 'payments', uid: 'ab' },
      session: { uid: 's1' },
      privileges: ['prod/db-password'],
      status_id: 1,
      severity_id: 1,
    });
  });

  it('loses nothing of the signed event', () => {
    const { event, kid, sig } = logged('attestation.denied');
    expect(ocsfEvent(logged('attestation.denied'))['unmapped']).toEqual({ event, kid, sig });
  });
});
