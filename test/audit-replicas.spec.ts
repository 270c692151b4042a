import { SUBJECTS, SiegelError } from '#contracts';
import { AuditEmitter } from '#emitter';
import { NatsRequestError, type NatsRequests } from '#platform';
import {
  type EntryPromise,
  ed25519Verifier,
  Frontier,
  leafHash,
  openCheckpoint,
  parseTlogProof,
} from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { sign } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { promiseOf, promiseVerifier, readLog } from './audit-log-reader.js';
import { AuditReplica } from './audit-replica.js';
import { PostgresServer } from './postgres-server.js';

const TAKE_OVER_MS = 5_000;
const server = await PostgresServer.start();
const deployment = new AuditDeployment();
const tiles = join(deployment.folder, 'tiles');
const promised = new Map<string, { entry: Buffer; promise: EntryPromise }>();
/** Every checkpoint that was ever public, by its size. */
const seen = new Map<number, Buffer>();
const rolledBack: string[] = [];
/** Events that an emitter gave up. */
const refused: string[] = [];
let replicas: AuditReplica[] = [];
let requests: NatsRequests;
let watcher: NodeJS.Timeout;

/** Looks at the published checkpoint all the time, as a monitor would. */
function watchCheckpoints(): NodeJS.Timeout {
  let last = 0;
  const verifier = ed25519Verifier(ORIGIN, deployment.logPublicKey);
  return setInterval(() => {
    const path = join(tiles, 'default', 'checkpoint');
    if (!existsSync(path)) return;
    const { size, root } = openCheckpoint(readFileSync(path), ORIGIN, verifier);
    if (size < last) rolledBack.push(`${last} became ${size}`);
    const known = seen.get(size);
    if (known && !known.equals(root)) rolledBack.push(`two roots for ${size}`);
    seen.set(size, root);
    last = size;
  }, 10);
}

/** Emitters that append as fast as they are answered, and repeat what got no answer, as services do. */
function load(emitters: number) {
  let stopped = false;
  let longest = 0;
  let last = performance.now();
  const workers = Array.from({ length: emitters }, async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    while (!stopped) {
      const { id, entry } = emitter.event();
      while (!promised.has(id)) {
        try {
          const promise = promiseOf(await requests.request(SUBJECTS.auditAppend, entry, 1_000));
          promised.set(id, { entry, promise });
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
        } catch (error) {
          // The last event of each is asked for until it is promised, also after the end.
          if (!(error instanceof NatsRequestError) && !(error instanceof SiegelError)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 30));
        }
      }
    }
  });
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(workers);
    },
    /** The longest time without a promise since the last call, in milliseconds. */
    pause: () => {
      const result = Math.max(longest, performance.now() - last);
      longest = 0;
      last = performance.now();
      return result;
    },
  };
}

/** What services emit with, as it is: it says when it is available, and keeps what it has no promise for. */
function serviceEmitter(): AuditEmitter {
  const { kid, privateKey } = deployment.emitterKey;
  return new AuditEmitter(requests, {
    name: 'key-release',
    instance: 'real',
    key: { kid, sign: (data) => sign(null, data, privateKey) },
    logs: [{ origin: ORIGIN, kid: deployment.logKey.kid, publicKey: deployment.logPublicKey }],
    originOf: (tenant) => `siegel.test/${tenant}`,
    onError: (message) => refused.push(message),
  });
}

async function roles(): Promise<{ leader: AuditReplica; standby: AuditReplica }> {
  let leader: AuditReplica | undefined;
  await until(
    async () => {
      for (const replica of replicas) if (await replica.leads()) leader = replica;
      return leader !== undefined;
    },
    15_000,
    'nobody leads',
  );
  return { leader: leader!, standby: replicas.find((replica) => replica !== leader)! };
}

async function progress(more: number): Promise<void> {
  const before = promised.size;
  await until(() => promised.size > before + more, 20_000, 'no progress');
}

(server ? describe : describe.skip)('two audit processes on one log', () => {
  beforeAll(async () => {
    await deployment.startNats();
    const file = join(deployment.folder, 'postgres.url');
    writeFileSync(file, await server!.database(), { mode: 0o600 });
    replicas = ['one', 'two'].map(
      (name) =>
        new AuditReplica(deployment, name, {
          SIEGEL_AUDIT_POSTGRES_FILE: file,
          SIEGEL_AUDIT_TILES_DIR: tiles,
          SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100',
        }),
    );
    await Promise.all(replicas.map((replica) => replica.start()));
    requests = await deployment.requests();
    watcher = watchCheckpoints();
  }, 60_000);
  afterAll(async () => {
    clearInterval(watcher);
    for (const replica of replicas) replica.signal('SIGCONT');
    await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')));
    await deployment.close();
    await server?.close();
  });

  it('has one leader; the standby answers searches and gives receipts, and takes no events', async () => {
    const { leader, standby } = await roles();
    expect(await standby.leads()).toBe(false);
    const { id, entry } = new TestEmitter(deployment.emitterKey).event();
    const promise = promiseOf(await requests.request(SUBJECTS.auditAppend, entry, 5_000));
    promised.set(id, { entry, promise });
    await until(
      async () => (await standby.get(`/v1/events/${id}`)).ok,
      5_000,
      'the standby does not find the event',
    );
    const [here, there] = await Promise.all(
      [leader, standby].map((replica) => replica.json(`/v1/events/${id}`)),
    );
    expect(there).toEqual(here);
    const receipt = await (await standby.get(`/v1/log/receipt?index=${promise.index}`)).text();
    expect(parseTlogProof(receipt).index).toBe(promise.index);
    const metrics = await (await standby.get('/metrics')).text();
    expect(metrics).toMatch(/siegel_audit_entries_total 0\n/);
    expect(metrics).toMatch(/siegel_audit_leading 0\n/);
  }, 30_000);

  it('goes on within five seconds when the leader is killed under load', async () => {
    const { leader, standby } = await roles();
    const running = load(16);
    await progress(200);
    running.pause();
    await leader.stop('SIGKILL');
    await progress(200);
    expect(running.pause()).toBeLessThan(TAKE_OVER_MS);
    expect(await standby.leads()).toBe(true);
    await leader.start();
    await progress(50);
    expect(await leader.leads()).toBe(false);
    await running.stop();
  }, 60_000);

  it('goes on within five seconds when the leader is paused under load, which then can write nothing', async () => {
    const { leader, standby } = await roles();
    const emitter = serviceEmitter();
    const draft = {
      tenant: 'default',
      type: 'service.stopped',
      outcome: 'ok',
      data: { service: 'key-release' },
    } as const;
    const running = load(16);
    await progress(200);
    running.pause();
    leader.signal('SIGSTOP');
    try {
      const unanswered = emitter.record(draft);
      await expect(unanswered).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
      await progress(200);
      expect(running.pause()).toBeLessThan(TAKE_OVER_MS);
      await until(() => emitter.available, TAKE_OVER_MS, 'the emitter did not find the new leader');
      await emitter.record(draft);
      expect(await standby.leads()).toBe(true);
      // Longer than anything that could still be on its way.
      await progress(300);
    } finally {
      leader.signal('SIGCONT');
    }
    await progress(300);
    await until(async () => !(await leader.leads()), 5_000, 'the former leader does not stand by');
    expect(await standby.leads()).toBe(true);
    await running.stop();
    expect(running.pause()).toBeLessThan(TAKE_OVER_MS);
    await emitter.record(draft);
    await emitter.close();
    expect(refused).toEqual([]);
  }, 60_000);

  it('hands over at once when the leader is told to stop', async () => {
    const { leader, standby } = await roles();
    const running = load(16);
    await progress(100);
    running.pause();
    expect(await leader.stop('SIGTERM')).toBe(0);
    await progress(100);
    expect(running.pause()).toBeLessThan(3_000);
    expect(await standby.leads()).toBe(true);
    await running.stop();
    await leader.start();
  }, 60_000);

  it('survives a crash of PostgreSQL under load', async () => {
    const running = load(16);
    await progress(100);
    await server!.stop('SIGQUIT');
    const search = await replicas[0]!.get('/v1/events?limit=1');
    expect({ status: search.status, ...((await search.json()) as object) }).toMatchObject({
      status: 503,
      code: 'AUDIT_STORE_UNAVAILABLE',
    });
    await server!.resume();
    await progress(100);
    await running.stop();
    await roles();
    for (const replica of replicas) expect((await replica.get('/health/ready')).status).toBe(200);
  }, 60_000);

  it('has kept every promise: once, at its index, in one history', async () => {
    const { leader } = await roles();
    const highest = Math.max(...[...promised.values()].map(({ promise }) => promise.index));
    await until(async () => (await readLog(leader)).size > highest, 20_000, 'not published');
    const { entries, events } = await readLog(leader);
    const verifier = promiseVerifier(deployment);
    const times = new Map<string, number>();
    for (const { event } of events) times.set(event.id, (times.get(event.id) ?? 0) + 1);
    expect([...times.values()].every((count) => count === 1)).toBe(true);
    for (const [id, { entry, promise }] of promised) {
      verifier.verify(promise, entry);
      expect(entries[promise.index]!.equals(entry)).toBe(true);
      expect(times.get(id)).toBe(1);
    }
    expect(rolledBack).toEqual([]);
    expect(seen.size).toBeGreaterThan(20);
    const frontier = Frontier.empty();
    const roots = new Map<number, Buffer>();
    for (const entry of entries) {
      frontier.append(leafHash(entry));
      if (seen.has(roots.size + 1)) roots.set(roots.size + 1, frontier.root());
      else roots.set(roots.size + 1, Buffer.alloc(0));
    }
    for (const [size, root] of seen) expect(root.equals(roots.get(size)!)).toBe(true);
    // Who led is in the log, with terms that rise.
    const terms = events.flatMap(({ event }) => (event.type === 'service.leading' ? [event.data] : []));
    expect(terms.length).toBeGreaterThanOrEqual(4);
    expect(terms.map(({ term }) => term)).toEqual([...terms.map(({ term }) => term)].sort((a, b) => a - b));
    expect(terms.some(({ cause, former }) => cause === 'silent' && former !== undefined)).toBe(true);
    expect(terms.some(({ cause }) => cause === 'released')).toBe(true);
    // No event was numbered twice and none is missing: the emitters repeated themselves, and nothing else.
    expect(events.filter(({ event }) => event.type === 'log.gap' || event.type === 'log.forged')).toEqual([]);
  }, 60_000);

  it('refuses to lead with tiles that are not those of the log', async () => {
    const { leader, standby } = await roles();
    await standby.stop('SIGTERM');
    const stranger = new AuditReplica(deployment, 'stranger', {
      SIEGEL_AUDIT_POSTGRES_FILE: join(deployment.folder, 'postgres.url'),
      SIEGEL_AUDIT_TILES_DIR: join(deployment.folder, 'other-tiles'),
    });
    await stranger.start();
    const ended = stranger.ended();
    await leader.stop('SIGTERM');
    expect(await ended).toBe(70);
    expect(stranger.output).toMatch(/all replicas need the same folder/);
    await leader.start();
    await standby.start();
    await roles();
  }, 60_000);

  it('has distributed every event, in the order of the log', async () => {
    const { leader } = await roles();
    const { size } = await readLog(leader);
    const manager = await jetstreamManager(await deployment.connect('operator'), { checkAPI: false });
    await until(
      async () => (await manager.streams.info('SIEGEL_EVENTS')).state.messages >= size,
      20_000,
      'not all events were distributed',
    );
    const indexes: number[] = [];
    const { state } = await manager.streams.info('SIEGEL_EVENTS');
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage('SIEGEL_EVENTS', { seq });
      if (message!.header.get('ce-siegellog') === ORIGIN)
        indexes.push(Number(message!.header.get('ce-siegelindex')));
    }
    expect(indexes.slice(0, size)).toEqual(Array.from({ length: size }, (_, i) => i));
  }, 60_000);
});
