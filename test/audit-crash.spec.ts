import { SUBJECTS, SiegelError } from '#contracts';
import { NatsRequestError, type NatsRequests } from '#platform';
import { type EntryPromise, ed25519Verifier, openCheckpoint, verifyConsistency } from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { promiseOf, promiseVerifier, readLog } from './audit-log-reader.js';

const deployment = new AuditDeployment({ SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '50' });
let requests: NatsRequests;

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
}, 60_000);
afterAll(() => deployment.close());

interface Load {
  stop: () => Promise<void>;
  promised: Map<string, { entry: Buffer; promise: EntryPromise }>;
  /** Refused with a code that says that nothing was stored. */
  refused: Set<string>;
}

/** Emitters that append as fast as they are answered, and repeat what got no answer, as services do. */
function load(emitters: number): Load {
  const promised: Load['promised'] = new Map();
  const refused = new Set<string>();
  let stopped = false;
  const workers = Array.from({ length: emitters }, async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    while (!stopped) {
      const { id, entry } = emitter.event();
      while (!promised.has(id)) {
        try {
          const promise = promiseOf(await requests.request(SUBJECTS.auditAppend, entry, 1_000));
          promised.set(id, { entry, promise });
        } catch (error) {
          if (stopped) {
            if (error instanceof SiegelError) refused.add(id);
            break;
          }
          if (!(error instanceof NatsRequestError) && !(error instanceof SiegelError)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 30));
        }
      }
    }
  });
  return {
    promised,
    refused,
    stop: async () => {
      stopped = true;
      await Promise.all(workers);
    },
  };
}

const STORE = ['log.db', 'log.db-wal'].map((name) => join(deployment.state, name));
const storeFiles = () => STORE.map((path) => (existsSync(path) ? readFileSync(path) : undefined));

function restore(files: readonly (Buffer | undefined)[]): void {
  rmSync(join(deployment.state, 'log.db-shm'), { force: true });
  for (const [i, path] of STORE.entries()) {
    const bytes = files[i];
    if (bytes) writeFileSync(path, bytes);
    else rmSync(path, { force: true });
  }
}

/** Every promise verifies and its entry is in the published log at its index, exactly once. */
async function expectKept({ promised }: Load): Promise<void> {
  const highest = Math.max(...[...promised.values()].map(({ promise }) => promise.index));
  await until(
    async () => (await readLog(deployment)).size > highest,
    20_000,
    'the promised entries were not published',
  );
  const { entries, events } = await readLog(deployment);
  const verifier = promiseVerifier(deployment);
  const seen = new Map<string, number>();
  for (const { event } of events) seen.set(event.id, (seen.get(event.id) ?? 0) + 1);
  for (const [id, { entry, promise }] of promised) {
    verifier.verify(promise, entry);
    expect(entries[promise.index]!.equals(entry)).toBe(true);
    expect(seen.get(id)).toBe(1);
  }
  expect([...seen.values()].every((count) => count === 1)).toBe(true);
}

async function checkpoint() {
  const note = await (await deployment.get('/v1/log/checkpoint')).text();
  return openCheckpoint(note, ORIGIN, ed25519Verifier(ORIGIN, deployment.logPublicKey));
}

describe('SIGKILL under load', () => {
  it('loses no promised event, doubles none and forks nothing, five times over', async () => {
    const running = load(24);
    const heads: { size: number; root: Buffer }[] = [];
    for (let round = 0; round < 5; round++) {
      const before = running.promised.size;
      await until(() => running.promised.size > before + 300, 30_000, 'no progress');
      const head = await checkpoint().catch(() => undefined);
      if (head) heads.push(head);
      await deployment.stopAudit('SIGKILL');
      await deployment.startAudit();
    }
    await until(() => running.promised.size > 1_800, 30_000, 'no progress after the restarts');
    await running.stop();
    await expectKept(running);
    const last = await checkpoint();
    for (const { size, root } of heads) {
      const { proof } = await deployment.json<{ proof: string[] }>(
        `/v1/log/proof/consistency?from=${size}&to=${last.size}`,
      );
      verifyConsistency(
        size,
        root,
        last.size,
        last.root,
        proof.map((hash) => Buffer.from(hash, 'hex')),
      );
    }
    expect(heads.length).toBeGreaterThan(0);
  }, 120_000);

  it('answers a repetition of an old event with the old promise after a restart', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const sent = [emitter.event(), emitter.event(), emitter.event()];
    const before = await Promise.all(
      sent.map(({ entry }) => requests.request(SUBJECTS.auditAppend, entry, 2_000)),
    );
    await deployment.stopAudit('SIGKILL');
    await deployment.startAudit();
    for (const [i, { entry }] of sent.entries()) {
      const again = await requests.request(SUBJECTS.auditAppend, entry, 2_000);
      expect(promiseOf(again)).toEqual(promiseOf(before[i]!));
    }
  }, 60_000);
});

describe('SIGTERM under load', () => {
  it('drains: what was promised is kept, what was refused is not in the log, and the end is an event', async () => {
    const running = load(24);
    await until(() => running.promised.size > 300, 30_000, 'no progress');
    const stopping = deployment.stopAudit('SIGTERM');
    const stopped = running.stop();
    expect(await stopping).toBe(0);
    await stopped;
    await deployment.startAudit();
    await expectKept(running);
    const { events } = await readLog(deployment);
    const ids = new Set(events.map(({ event }) => event.id));
    for (const id of running.refused) expect(ids.has(id)).toBe(false);
    expect(events.some(({ event }) => event.type === 'service.stopped')).toBe(true);
  }, 60_000);
});

describe('a damaged or foreign state folder', () => {
  it('rebuilds a lost or damaged index from the log', async () => {
    const [known] = (await deployment.json<{ events: { event: { id: string } }[] }>('/v1/events?limit=1'))
      .events;
    for (const damage of [
      () => rmSync(join(deployment.state, 'index.db')),
      () =>
        writeFileSync(
          join(deployment.state, 'index.db'),
          'not a database, but a long enough text to be read',
        ),
    ]) {
      await deployment.stopAudit('SIGKILL');
      damage();
      for (const suffix of ['-wal', '-shm'])
        rmSync(join(deployment.state, `index.db${suffix}`), { force: true });
      await deployment.startAudit();
      await until(
        async () => (await deployment.get(`/v1/events/${known!.event.id}`)).ok,
        20_000,
        'the index was not rebuilt',
      );
    }
  }, 60_000);

  it('refuses a second process on the same folder', async () => {
    await expect(deployment.startSecond()).rejects.toThrow(/in use by another audit process/);
    expect((await deployment.get('/health/live')).ok).toBe(true);
  }, 30_000);

  it('refuses to go on from a store that is older than its checkpoint', async () => {
    await deployment.stopAudit('SIGTERM');
    const old = storeFiles();
    await deployment.startAudit();
    const { size } = await checkpoint();
    await requests.request(SUBJECTS.auditAppend, new TestEmitter(deployment.emitterKey).event().entry, 2_000);
    await until(async () => (await checkpoint()).size > size, 10_000, 'no new checkpoint');
    await deployment.stopAudit('SIGTERM');
    const current = storeFiles();
    restore(old);
    await expect(deployment.startAudit()).rejects.toThrow(/would fork the log/);
    restore(current);
    await deployment.startAudit();
  }, 60_000);
});
