import { type AuditEvent, eventSubject, SignedEvent, STREAMS, SUBJECTS } from '#contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { NatsUser } from '../apps/cli/src/up/nats-config.js';
import {
  eventually,
  manifestOf,
  OfflineChecks,
  RunningSiegel,
  startSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(120_000);
const EVERYTHING = `${SUBJECTS.events}.>`;

let siegel: RunningSiegel;
let auditor: NatsConnection;
let operator: NatsConnection;
beforeAll(async () => {
  siegel = await startSiegel({ manifest: manifestOf({ app: { env: { A: 'b' } } }) });
  auditor = await siegel.nats('auditor');
  operator = await siegel.nats('operator');
});
afterAll(() => siegel?.stop());

const attest = async (): Promise<string> =>
  (await siegel.machines.enclave('app').attest(siegel.service)).response.session;
const eventOf = (message: Msg | JsMsg): AuditEvent => SignedEvent.parse(message.json()).event;

describe('an auditor with read-only credentials', () => {
  it('hears every logged event as a CloudEvent whose body is the entry of the log', async () => {
    const heard: Msg[] = [];
    const subscription = auditor.subscribe(EVERYTHING, {
      callback: (_error, message) => void heard.push(message),
    });
    await auditor.flush();
    const session = await attest();
    const message = await eventually('the event', () =>
      heard.find((each) => eventOf(each).session === session),
    );
    subscription.unsubscribe();
    expect(message.subject).toBe(eventSubject(TENANT, 'attestation.granted'));
    const [logged] = await siegel.log.all({ session });
    const header = (name: string): string => message.headers!.get(name);
    expect(header('ce-specversion')).toBe('1.0');
    expect(header('ce-id')).toBe(logged!.event.id);
    expect(header('ce-type')).toBe('siegel.attestation.granted');
    expect(header('ce-source')).toBe('urn:siegel:log:siegel.local/log/default');
    expect(header('ce-siegelindex')).toBe(String(logged!.index));
    const signed = SignedEvent.parse(message.json());
    expect(signed.event).toEqual(logged!.event);
    // Broker and publisher need not be trusted: the emitter has signed it.
    expect(new OfflineChecks(siegel.layout.trust).signedByEmitter({ ...logged!, ...signed })).toBe(true);
  });

  it('can choose by tenant and type', async () => {
    const heard: Msg[] = [];
    const subscription = auditor.subscribe(eventSubject(TENANT, 'attestation.denied'), {
      callback: (_error, message) => void heard.push(message),
    });
    await auditor.flush();
    await attest();
    await siegel.service.post('/v1/attest', siegel.machines.enclave('stranger').requestBody());
    await eventually('the denial', () => heard.length > 0);
    subscription.unsubscribe();
    expect(heard.map((message) => eventOf(message).type)).toEqual(['attestation.denied']);
  });
});

describe('what an auditor may not', () => {
  const count = async (): Promise<number> => {
    const manager = await jetstreamManager(operator, { checkAPI: false });
    return (await manager.streams.info(STREAMS.events)).state.messages;
  };

  it('publish an event', async () => {
    const heard: Msg[] = [];
    const subscription = operator.subscribe(EVERYTHING, {
      callback: (_error, message) => void heard.push(message),
    });
    await operator.flush();
    const before = await count();
    for (const subject of [
      eventSubject(TENANT, 'attestation.granted'),
      SUBJECTS.events,
      `${SUBJECTS.events}.x`,
    ])
      auditor.publish(subject, '{}');
    await auditor.flush();
    await operator.flush();
    subscription.unsubscribe();
    expect(heard).toEqual([]);
    expect(await count()).toBe(before);
  });

  it('ask a service anything', async () => {
    for (const subject of [SUBJECTS.verify, SUBJECTS.auditAppend])
      await expect(auditor.request(subject, '{}', { timeout: 1_000 })).rejects.toThrow();
  });

  it('create, change, empty or delete a stream', async () => {
    const manager = await jetstreamManager(auditor, { checkAPI: false, timeout: 1_000 });
    const before = await count();
    await expect(manager.streams.add({ name: 'MINE', subjects: ['mine.>'] })).rejects.toThrow();
    await expect(manager.streams.update(STREAMS.events, { max_msgs: 1 })).rejects.toThrow();
    await expect(manager.streams.purge(STREAMS.events)).rejects.toThrow();
    await expect(manager.streams.deleteMessage(STREAMS.events, 1)).rejects.toThrow();
    await expect(manager.streams.delete(STREAMS.events)).rejects.toThrow();
    expect(await count()).toBe(before);
  });

  it('change, empty or delete the events, which the operator who made it may not either', async () => {
    const manager = await jetstreamManager(operator, { checkAPI: false, timeout: 1_000 });
    const before = await count();
    await expect(manager.streams.add({ name: STREAMS.events, subjects: [EVERYTHING] })).rejects.toThrow();
    await expect(manager.streams.update(STREAMS.events, { max_msgs: 1 })).rejects.toThrow();
    await expect(manager.streams.purge(STREAMS.events)).rejects.toThrow();
    await expect(manager.streams.deleteMessage(STREAMS.events, 1)).rejects.toThrow();
    expect(await count()).toBe(before);
  });

  it('create or delete a consumer', async () => {
    const manager = await jetstreamManager(auditor, { checkAPI: false, timeout: 1_000 });
    const config = { durable_name: 'mine', ack_policy: AckPolicy.Explicit };
    await expect(manager.consumers.add(STREAMS.events, config)).rejects.toThrow();
    await expect(manager.consumers.delete(STREAMS.events, 'auditor')).rejects.toThrow();
  });

  it.each(['>', 'siegel.v1.>', '_INBOX_key_release.>', '_INBOX_operator.>', '$JS.>', '$KV.>'])(
    'listen to %s',
    async (subject) => {
      const failed = await new Promise<Error | undefined>((resolve) => {
        auditor.subscribe(subject, { callback: (error) => resolve(error ?? undefined) });
        setTimeout(() => resolve(undefined), 3_000).unref();
      });
      expect(failed?.message).toMatch(/permissions violation/i);
    },
  );
});

describe('who else may publish an event', () => {
  it('nobody but the audit service', async () => {
    const heard: Msg[] = [];
    const subscription = auditor.subscribe(EVERYTHING, {
      callback: (_error, message) => void heard.push(message),
    });
    await auditor.flush();
    for (const user of ['key_release', 'quote_verifier', 'operator'] satisfies NatsUser[]) {
      const nats = await siegel.nats(user);
      nats.publish(eventSubject(TENANT, 'attestation.granted'), '{}');
      await nats.flush();
    }
    await auditor.flush();
    subscription.unsubscribe();
    expect(heard).toEqual([]);
  });

  it('nobody at all without credentials', async () => {
    const anonymous = connect({ servers: siegel.endpoints.nats, reconnect: false, timeout: 5_000 });
    await expect(anonymous).rejects.toThrow(/authorization/i);
  });
});

describe('a durable consumer that the operator has made for the auditor', () => {
  beforeAll(async () => {
    const manager = await jetstreamManager(operator);
    await manager.consumers.add(STREAMS.events, {
      durable_name: 'auditor',
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
    });
  });

  /** One sitting: takes what is there, in order, acknowledging each; a new connection each time. */
  async function sitting(most: number): Promise<{ sequence: number; id: string }[]> {
    const nats = await siegel.nats('auditor');
    const consumer = await jetstream(nats).consumers.get(STREAMS.events, 'auditor');
    const taken: { sequence: number; id: string }[] = [];
    const messages = await consumer.fetch({ max_messages: most, expires: 2_000 });
    for await (const message of messages) {
      taken.push({ sequence: message.seq, id: eventOf(message).id });
      await message.ackAck();
    }
    await nats.close();
    return taken;
  }

  it('resumes by sequence where the last sitting ended, without loss and without repetition', async () => {
    for (let each = 0; each < 5; each++) await attest();
    const first = await sitting(4);
    expect(first).toHaveLength(4);
    // What is logged while nobody listens waits.
    for (let each = 0; each < 5; each++) await attest();
    const logged = (await siegel.log.all()).map(({ event }) => event.id);
    const rest: { sequence: number; id: string }[] = [];
    await eventually('the rest', async () => {
      rest.push(...(await sitting(100)));
      return first.length + rest.length >= logged.length;
    });
    const all = [...first, ...rest];
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_unused, at) => at + 1));
    expect(all.map(({ id }) => id)).toEqual(logged);
  });

  it('survives the end of the broker', async () => {
    await siegel.kill('nats-server');
    await siegel.ready();
    const session = await eventually('a grant', () => attest());
    const [logged] = await siegel.log.all({ session });
    const seen: string[] = [];
    await eventually('the event', async () => {
      seen.push(...(await sitting(100)).map(({ id }) => id));
      return seen.includes(logged!.event.id);
    });
    expect(new Set(seen).size).toBe(seen.length);
  });
});
