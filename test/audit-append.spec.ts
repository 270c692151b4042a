import { SUBJECTS, SiegelError } from '#contracts';
import { NatsRequestError, type NatsRequests } from '#platform';
import { verifyInclusion, leafHash } from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuditDeployment, TestEmitter, until } from './audit-deployment.js';
import { promiseOf, promiseVerifier, readLog } from './audit-log-reader.js';

const deployment = new AuditDeployment({
  SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '200',
  SIEGEL_AUDIT_GAP_GRACE_MS: '300',
});
let requests: NatsRequests;

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
}, 60_000);
afterAll(() => deployment.close());

const append = (entry: Uint8Array): Promise<Uint8Array> =>
  requests.request(SUBJECTS.auditAppend, entry, 5_000);
const refusal = async (entry: Uint8Array): Promise<string> => {
  try {
    await append(entry);
    return 'accepted';
  } catch (error) {
    if (error instanceof SiegelError) return error.code;
    throw error;
  }
};
interface Found {
  events: { event: { type: string; reason: { code: string }; data: Record<string, unknown> } }[];
}
const anomalies = async (type: string, epoch: string) =>
  (await deployment.json<Found>(`/v1/events?type=${type}&limit=500`)).events
    .map(({ event }) => event)
    .filter(({ data }) => data['epoch'] === epoch);

describe('appending over NATS', () => {
  it('answers with a promise that verifies, and the log keeps it', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const verifier = promiseVerifier(deployment);
    const sent = Array.from({ length: 40 }, () => emitter.event());
    const promises = (await Promise.all(sent.map(({ entry }) => append(entry)))).map(promiseOf);
    promises.forEach((promise, i) => verifier.verify(promise, sent[i]!.entry));
    const indexes = promises.map(({ index }) => index);
    expect(new Set(indexes).size).toBe(40);
    // Concurrent requests share commits, hence signatures.
    expect(new Set(promises.map(({ signature }) => signature)).size).toBeLessThan(40);

    const last = promises.at(-1)!;
    const proof = await deployment.json<{ size: number; proof: string[]; leafHash: string }>(
      `/v1/log/proof/inclusion?index=${last.index}`,
    );
    const { root, size, entries } = await readLog(deployment);
    expect(proof.leafHash).toBe(last.leafHash);
    if (proof.size === size) {
      const hashes = proof.proof.map((hash) => Buffer.from(hash, 'hex'));
      verifyInclusion(leafHash(sent.at(-1)!.entry), last.index, size, hashes, root);
    }
    promises.forEach(({ index }, i) => expect(entries[index]!.equals(sent[i]!.entry)).toBe(true));
  });

  it('answers a repetition with the same promise and stores it once', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const neighbours = [emitter.event(), emitter.event(), emitter.event()];
    const [first] = await Promise.all(neighbours.map(({ entry }) => append(entry)));
    const again = await append(neighbours[0]!.entry);
    expect(promiseOf(again)).toEqual(promiseOf(first!));
    // Twice within one commit as well.
    const { entry, id } = emitter.event();
    const [a, b] = await Promise.all([append(entry), append(entry)]);
    expect(promiseOf(a)).toEqual(promiseOf(b));
    await until(
      async () => (await anomalies('log.duplicate', emitter.epoch)).length > 0,
      5_000,
      'no log.duplicate',
    );
    const { index } = promiseOf(a);
    await until(async () => (await readLog(deployment)).size > index, 15_000, 'not published');
    const { events } = await readLog(deployment);
    expect(events.filter(({ event }) => event.id === id)).toHaveLength(1);
  });

  it('refuses another event under a known number', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    await append(emitter.event().entry);
    expect(await refusal(emitter.event({ seq: 1 }).entry)).toBe('AUDIT_SEQUENCE_CONFLICT');
    await until(
      async () =>
        (await anomalies('log.duplicate', emitter.epoch)).some(
          ({ reason }) => reason.code === 'NUMBER_REUSED',
        ),
      5_000,
      'the conflict was not recorded',
    );
  });

  it('records a gap after its grace, with who and how many', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    await append(emitter.event().entry);
    emitter.seq += 3;
    await append(emitter.event().entry);
    await until(async () => (await anomalies('log.gap', emitter.epoch)).length > 0, 15_000, 'no log.gap');
    const [gap] = await anomalies('log.gap', emitter.epoch);
    expect(gap!.data).toMatchObject({ emitter: 'key-release', expectedSeq: 2, seq: 4, count: 3 });
  });

  it('records a reordering, and no gap when the late event comes within the grace', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const [one, two, three] = [emitter.event(), emitter.event(), emitter.event()];
    for (const { entry } of [one, three, two]) await append(entry);
    await until(
      async () => (await anomalies('log.reordered', emitter.epoch)).length > 0,
      5_000,
      'no log.reordered',
    );
    const [reordered] = await anomalies('log.reordered', emitter.epoch);
    expect(reordered!.data).toMatchObject({ seq: 2, expectedSeq: 4 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(await anomalies('log.gap', emitter.epoch)).toEqual([]);
  });

  it('refuses forged events and records that they came', async () => {
    const stranger = new TestEmitter(deployment.logKey);
    expect(await refusal(stranger.event().entry)).toBe('AUDIT_EMITTER_UNKNOWN');
    const impostor = new TestEmitter({ ...deployment.emitterKey, privateKey: deployment.logKey.privateKey });
    expect(await refusal(impostor.event().entry)).toBe('AUDIT_SIGNATURE_INVALID');
    const changed = new TestEmitter(deployment.emitterKey)
      .event()
      .entry.toString()
      .replace('payments', 'Payments');
    expect(await refusal(Buffer.from(changed))).toBe('AUDIT_SIGNATURE_INVALID');
    await until(
      async () => (await anomalies('log.forged', impostor.epoch)).length > 0,
      5_000,
      'no log.forged',
    );
    expect((await anomalies('log.forged', stranger.epoch))[0]!.reason.code).toBe('EMITTER_UNKNOWN');
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['not UTF-8', Buffer.from([0xff, 0xfe])],
    ['not JSON', Buffer.from('{')],
    ['another shape', Buffer.from('{"event":{}}')],
    ['too large', Buffer.from(JSON.stringify({ event: 'x'.repeat(70_000) }))],
  ])('refuses %s', async (_, body) => {
    expect(await refusal(body)).toBe('AUDIT_EVENT_INVALID');
  });

  it('refuses text that has no canonical form', async () => {
    const text = new TestEmitter(deployment.emitterKey)
      .event()
      .entry.toString()
      .replace('payments', '\\ud800');
    expect(await refusal(Buffer.from(text))).toBe('AUDIT_EVENT_INVALID');
  });

  it('refuses unknown members and tenants without a log', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    expect(await refusal(emitter.event({ secret: 'x' } as never).entry)).toBe('AUDIT_EVENT_INVALID');
    expect(await refusal(emitter.event({ tenant: 'nobody' }).entry)).toBe('AUDIT_EVENT_INVALID');
  });

  it('keeps the tenants in logs of their own', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const promise = promiseOf(await append(emitter.event({ tenant: 'other' }).entry));
    expect(promise).toMatchObject({ log: 'siegel.test/other', index: 0 });
    await until(async () => (await deployment.get('/v1/logs/other/checkpoint')).ok, 15_000, 'no checkpoint');
    expect(await (await deployment.get('/v1/logs/other/checkpoint')).text()).toMatch(
      /^siegel\.test\/other\n1\n/,
    );
  });
});

describe('a full queue', () => {
  it('refuses with a typed, retryable code and takes the events later', async () => {
    const small = new AuditDeployment({ SIEGEL_AUDIT_QUEUE_EVENTS: '8' });
    try {
      await small.start();
      const mux = await small.requests();
      const emitter = new TestEmitter(small.emitterKey);
      const events = Array.from({ length: 200 }, () => emitter.event());
      const results = await Promise.all(
        events.map(({ entry }) =>
          mux.request(SUBJECTS.auditAppend, entry, 5_000).then(
            () => 'accepted',
            (error: unknown) => (error instanceof SiegelError ? error : Promise.reject(error)),
          ),
        ),
      );
      const refused = results.filter((result) => result instanceof SiegelError);
      expect(refused.length).toBeGreaterThan(0);
      for (const error of refused) {
        expect(error.code).toBe('AUDIT_BACKPRESSURE');
        expect(error.entry.retryable).toBe(true);
      }
      for (const [i, result] of results.entries()) {
        if (result !== 'accepted') await mux.request(SUBJECTS.auditAppend, events[i]!.entry, 5_000);
      }
    } finally {
      await small.close();
    }
  }, 60_000);
});

describe('without the audit service', () => {
  it('a request fails at once instead of hanging', async () => {
    const alone = new AuditDeployment();
    try {
      await alone.startNats();
      const mux = await alone.requests();
      const sent = mux.request(SUBJECTS.auditAppend, new TestEmitter(alone.emitterKey).event().entry, 5_000);
      await expect(sent).rejects.toThrow(NatsRequestError);
    } finally {
      await alone.close();
    }
  }, 30_000);
});
