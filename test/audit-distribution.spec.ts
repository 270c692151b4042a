import { STREAMS, SUBJECTS, eventSubject } from '#contracts';
import type { NatsRequests } from '#platform';
import { leafHash } from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { PermissionViolationError, type NatsConnection } from '@nats-io/transport-node';
import { AuditDeployment, TestEmitter, until } from './audit-deployment.js';
import { promiseOf } from './audit-log-reader.js';

const deployment = new AuditDeployment();
let requests: NatsRequests;
let auditor: NatsConnection;

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
  const manager = await jetstreamManager(await deployment.connect('operator'));
  await until(
    async () => manager.streams.info(STREAMS.events).then(Boolean, () => false),
    10_000,
    'the stream was not made',
  );
  await manager.consumers.add(STREAMS.events, { durable_name: 'auditor', ack_policy: AckPolicy.Explicit });
  auditor = await deployment.connect('auditor');
}, 60_000);
afterAll(() => deployment.close());

/** Takes `count` events with the auditor's read-only credentials. */
async function take(count: number): Promise<JsMsg[]> {
  const js = jetstream(auditor, { checkAPI: false } as never);
  const consumer = await js.consumers.get(STREAMS.events, 'auditor');
  const taken: JsMsg[] = [];
  while (taken.length < count) {
    const batch = await consumer.fetch({ max_messages: count - taken.length, expires: 3_000 });
    let some = false;
    for await (const message of batch) {
      await message.ackAck();
      taken.push(message);
      some = true;
    }
    if (!some) break;
  }
  return taken;
}

describe('distribution', () => {
  it('brings every logged event, in order, as a CloudEvent whose body is the leaf', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const sent = Array.from({ length: 300 }, () => emitter.event());
    const promises = (
      await Promise.all(sent.map(({ entry }) => requests.request(SUBJECTS.auditAppend, entry, 5_000)))
    ).map(promiseOf);
    // The service's own start comes first.
    const taken = await take(301);
    expect(taken[0]!.headers!.get('ce-type')).toBe('siegel.service.started');
    const bodies = new Map(taken.map((message) => [message.headers!.get('ce-id'), message]));
    for (const [i, { id, entry }] of sent.entries()) {
      const message = bodies.get(id)!;
      expect(Buffer.from(message.data).equals(entry)).toBe(true);
      expect(leafHash(message.data).toString('hex')).toBe(promises[i]!.leafHash);
      expect(message.subject).toBe(eventSubject('default', 'attestation.denied'));
      expect(message.headers!.get('ce-specversion')).toBe('1.0');
      expect(message.headers!.get('ce-siegelindex')).toBe(String(promises[i]!.index));
      expect(message.headers!.get('ce-siegellog')).toBe(promises[i]!.log);
      expect(message.headers!.get('content-type')).toBe('application/json');
    }
    const indexes = taken.map(({ headers }) => Number(headers!.get('ce-siegelindex')));
    expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
  }, 30_000);

  it('resumes for an auditor where it acknowledged last', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const sent = [emitter.event(), emitter.event()];
    for (const { entry } of sent) await requests.request(SUBJECTS.auditAppend, entry, 5_000);
    expect((await take(1)).map(({ headers }) => headers!.get('ce-id'))).toEqual([sent[0]!.id]);
    auditor = await deployment.connect('auditor');
    expect((await take(1)).map(({ headers }) => headers!.get('ce-id'))).toEqual([sent[1]!.id]);
  }, 30_000);

  it.each([
    ['an event', eventSubject('default', 'attestation.granted')],
    ['an append', SUBJECTS.auditAppend],
    ['a purge of the stream', `$JS.API.STREAM.PURGE.${STREAMS.events}`],
    ['a pull of another consumer', `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.events}.other`],
  ])('refuses the auditor to publish %s', async (_, subject) => {
    const violations: string[] = [];
    const watched = await deployment.connect('auditor');
    void (async () => {
      for await (const status of watched.status()) {
        if (status.type === 'error' && status.error instanceof PermissionViolationError) {
          violations.push(status.error.subject);
        }
      }
    })();
    watched.publish(subject, 'forged');
    await watched.flush();
    await until(() => violations.includes(subject), 5_000, 'the broker did not refuse');
  });

  it('keeps promising without JetStream and catches up when it is back, nothing twice', async () => {
    await deployment.stopNats('SIGKILL');
    await deployment.startNats({ jetStream: false });
    const emitter = new TestEmitter(deployment.emitterKey);
    const sent = Array.from({ length: 50 }, () => emitter.event());
    await until(() => requests.isConnected, 30_000, 'not reconnected');
    for (const { entry } of sent) {
      await until(
        async () => requests.request(SUBJECTS.auditAppend, entry, 1_000).then(Boolean, () => false),
        30_000,
        'no promise without JetStream',
      );
    }
    // A crash in between must not lose the mark either.
    await deployment.stopAudit('SIGKILL');
    await deployment.stopNats();
    await deployment.startNats();
    await deployment.startAudit();
    auditor = await deployment.connect('auditor');
    const taken = await take(51);
    const ids = taken.map(({ headers }) => headers!.get('ce-id'));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id } of sent) expect(ids).toContain(id);
  }, 90_000);

  it('starts a new stream if the broker lost its own, without stopping the log', async () => {
    const manager = await jetstreamManager(await deployment.connect('operator'));
    await until(() => requests.isConnected, 30_000, 'not reconnected');
    await manager.streams.delete(STREAMS.events);
    const emitter = new TestEmitter(deployment.emitterKey);
    const { id, entry } = emitter.event();
    await requests.request(SUBJECTS.auditAppend, entry, 5_000);
    await until(
      async () =>
        manager.streams.info(STREAMS.events).then(
          ({ state }) => state.messages >= 1,
          () => false,
        ),
      20_000,
      'the stream did not come back',
    );
    const message = await manager.streams.getMessage(STREAMS.events, {
      last_by_subj: eventSubject('default', 'attestation.denied'),
    });
    expect(message!.header.get('ce-id')).toBe(id);
  }, 90_000);
});
