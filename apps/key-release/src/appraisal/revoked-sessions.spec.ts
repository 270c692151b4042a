import { type RevocationRecord, SiegelError } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyReleaseEnvironment } from '../environment.js';
import { RevokedSessions } from './revoked-sessions.js';
import type { SessionBucket, SessionReader } from './session-bucket.js';

const SESSION = '00000000-0000-4000-8000-000000000001';

describe('RevokedSessions', () => {
  let folder = '';
  let events: EventDraft[];
  let stored: RevocationRecord[];
  let readers: SessionReader[];
  let failure: { log?: SiegelError; store?: Error };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-revoked-'));
    events = [];
    stored = [];
    readers = [];
    failure = {};
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function replica(): RevokedSessions {
    const bucket = {
      onRecord: (reader: SessionReader) => readers.push(reader),
      writeRevocation: async (record: RevocationRecord) => {
        if (failure.store) throw failure.store;
        stored.push(record);
      },
    } as unknown as SessionBucket;
    const audit = {
      record: async (event: EventDraft) => {
        if (failure.log) throw failure.log;
        events.push(event);
      },
    } as unknown as AuditEmitter;
    return new RevokedSessions(bucket, audit, { SIEGEL_STATE_DIR: folder } as KeyReleaseEnvironment);
  }

  it('logs, stores and remembers; a second time changes nothing', async () => {
    const sessions = replica();
    const view = await sessions.revoke('default', SESSION, 'admin-token');
    expect(await sessions.revoke('default', SESSION, 'somebody')).toEqual(view);
    expect(Date.parse(view.until) - Date.parse(view.revokedAt)).toBe(30 * 86_400_000);
    expect(events).toMatchObject([
      { type: 'session.revoked', session: SESSION, data: { actor: 'admin-token' } },
    ]);
    expect(stored).toHaveLength(1);
    expect(sessions.find('default', SESSION)).toBeDefined();
    expect(sessions.find('other', SESSION)).toBeUndefined();
    // Another run of the same replica, with a bucket that shows nothing.
    expect(replica().find('default', SESSION)).toEqual(stored[0]);
  });

  it('revokes nothing that the log does not keep, and says so where others cannot learn of it', async () => {
    const sessions = replica();
    failure = { log: new SiegelError('AUDIT_UNAVAILABLE') };
    await expect(sessions.revoke('default', SESSION, 'a')).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
    });
    failure = { store: new Error('away') };
    await expect(sessions.revoke('default', SESSION, 'a')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(sessions.find('default', SESSION)).toBeUndefined();
    failure = {};
    await sessions.revoke('default', SESSION, 'a');
    expect(stored).toHaveLength(1);
  });

  it('learns from other replicas, and forgets when no session of that name can be alive', () => {
    const sessions = replica();
    const until = new Date(Date.now() + 60_000).toISOString();
    const record = {
      v: 1,
      tenant: 'default',
      session: SESSION,
      revokedAt: until,
      actor: 'a',
      until,
    } as const;
    readers[0]!.revoked(record);
    readers[0]!.revoked(record);
    readers[0]!.revoked({ ...record, session: SESSION.replace(/1$/, '2'), until: '2020-01-01T00:00:00Z' });
    expect(sessions.find('default', SESSION)).toEqual(record);
    expect(sessions.find('default', SESSION.replace(/1$/, '2'))).toBeUndefined();
    expect(sessions.prune(Date.now())).toEqual([]);
    expect(sessions.prune(Date.now() + 61_000)).toEqual([record]);
    expect(sessions.find('default', SESSION)).toBeUndefined();
  });
});
