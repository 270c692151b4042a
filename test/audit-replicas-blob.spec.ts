import { SUBJECTS, SiegelError } from '#contracts';
import { NatsRequestError, type NatsRequests } from '#platform';
import {
  encodeEntryBundle,
  type EntryPromise,
  ed25519Verifier,
  leafHash,
  MemoryTree,
  openCheckpoint,
  parseTilePath,
} from '#transparency';
import type { ContainerClient, RestError } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { promiseOf, promiseVerifier, readLog } from './audit-log-reader.js';
import { AuditReplica, TOKEN } from './audit-replica.js';
import { Azurite } from './azurite.js';
import { HoldingProxy } from './holding-proxy.js';
import { PostgresServer } from './postgres-server.js';

const TAKE_OVER_MS = 5_000;
const CONTAINER = 'audit-replicas';
const TREE = 'logs/default/';
const CHECKPOINT = `${TREE}checkpoint`;
const server = await PostgresServer.start();
const deployment = new AuditDeployment();
const promised = new Map<string, { entry: Buffer; promise: EntryPromise }>();
const rolledBack: string[] = [];
const seen = new Map<number, Buffer>();
let azurite: Azurite;
let container: ContainerClient;
let proxies: HoldingProxy[] = [];
let replicas: AuditReplica[] = [];
let requests: NatsRequests;
let emitter: TestEmitter;
let watching = true;
let watcher: Promise<void> | undefined;

/** A blob in one request: what is replaced meanwhile must not be torn. Empty where there is none. */
async function contentOf(name: string): Promise<Buffer> {
  try {
    const { readableStreamBody } = await container.getBlobClient(name).download();
    return await buffer(readableStreamBody!);
  } catch (error) {
    if ((error as RestError).statusCode === 404) return Buffer.alloc(0);
    throw error;
  }
}

/** Looks at the published checkpoint all the time, as a monitor would. */
async function watchCheckpoints(): Promise<void> {
  const verifier = ed25519Verifier(ORIGIN, deployment.logPublicKey);
  for (let last = 0; watching; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const note = await contentOf(CHECKPOINT);
    // What a claim makes where no checkpoint was yet.
    if (note.length === 0) continue;
    const { size, root } = openCheckpoint(note, ORIGIN, verifier);
    if (size < last) rolledBack.push(`${last} became ${size}`);
    if (seen.has(size) && !seen.get(size)!.equals(root)) rolledBack.push(`two roots for ${size}`);
    seen.set(size, root);
    last = size;
  }
}

/** Emitters that append as fast as they are answered, and repeat what got no answer, as services do. */
function load(emitters: number) {
  let stopped = false;
  const workers = Array.from({ length: emitters }, async () => {
    const own = new TestEmitter(deployment.emitterKey);
    while (!stopped) await append(own.event());
  });
  return async () => {
    stopped = true;
    await Promise.all(workers);
  };
}

async function append({ id, entry }: { id: string; entry: Buffer }): Promise<void> {
  while (!promised.has(id)) {
    try {
      const promise = promiseOf(await requests.request(SUBJECTS.auditAppend, entry, 1_000));
      promised.set(id, { entry, promise });
    } catch (error) {
      if (!(error instanceof NatsRequestError) && !(error instanceof SiegelError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

async function progress(more: number, within = 20_000): Promise<void> {
  const before = promised.size;
  await until(() => promised.size >= before + more, within, 'no progress');
}

async function roles() {
  let at = -1;
  await until(
    async () => {
      for (const [i, replica] of replicas.entries()) if (await replica.leads()) at = i;
      return at >= 0;
    },
    15_000,
    'nobody leads',
  );
  return { leader: replicas[at]!, standby: replicas[1 - at]!, way: proxies[at]! };
}

/** Every blob of the log with its ETag. */
async function blobs(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, properties } of container.listBlobsFlat({ prefix: TREE }))
    found.set(name, properties.etag);
  return found;
}

/** As verifiers do: an answer that does not come is asked for again. */
async function handOver(evidence: Buffer): Promise<void> {
  const handed = JSON.stringify({ v: 1, evidence: evidence.toString('base64url') });
  const ask = () => requests.request(SUBJECTS.auditEvidence, handed, 2_000);
  await ask().catch(ask);
}
/** The event of a grant that rests on this evidence. */
const grant = (evidence: Buffer) =>
  append(
    emitter.event({
      type: 'attestation.granted',
      outcome: 'granted',
      reason: undefined as never,
      data: {
        protocol: 'native',
        evidence: { sha256: hash('sha256', evidence), format: 'dcap' },
        boundKey: 'k',
        binding: 'b',
        challenge: false,
        manifest: { version: 1, digest: hash('sha256', 'manifest') },
        grants: [],
        tokenId: 't',
      } as never,
    }),
  );
const pathOf = (evidence: Buffer) => `/v1/evidence/${hash('sha256', evidence)}`;
const isKept = (replica: AuditReplica, evidence: Buffer) =>
  until(
    async () => {
      const response = await replica.get(`${pathOf(evidence)}/info`);
      return response.ok && ((await response.json()) as { kept: boolean }).kept;
    },
    10_000,
    `${replica.name} does not know the evidence`,
  );
const download = async (replica: AuditReplica, evidence: Buffer) => {
  const response = await replica.get(pathOf(evidence));
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
};

(server ? describe : describe.skip)('two audit processes whose tiles lie in Azure Blob Storage', () => {
  const [first, onTheWay] = [randomBytes(4_000), randomBytes(4_000)];

  beforeAll(async () => {
    azurite = await Azurite.start();
    container = await azurite.container(CONTAINER);
    await deployment.startNats();
    const url = join(deployment.folder, 'postgres.url');
    writeFileSync(url, await server!.database(), { mode: 0o600 });
    const key = join(deployment.folder, 'evidence.key');
    writeFileSync(key, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    proxies = [await HoldingProxy.start(azurite.url), await HoldingProxy.start(azurite.url)];
    replicas = proxies.map(
      (proxy, i) =>
        new AuditReplica(deployment, ['one', 'two'][i]!, {
          SIEGEL_AUDIT_POSTGRES_FILE: url,
          SIEGEL_AUDIT_TILES_BLOB_FILE: azurite.settingsFile(CONTAINER, proxy.url),
          SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100',
          SIEGEL_AUDIT_EVIDENCE: 'granted',
          SIEGEL_AUDIT_EVIDENCE_KEY_FILE: key,
        }),
    );
    await Promise.all(replicas.map((replica) => replica.start()));
    requests = await deployment.requests();
    emitter = new TestEmitter(deployment.emitterKey);
    watcher = watchCheckpoints();
  }, 90_000);
  afterAll(async () => {
    watching = false;
    await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')));
    // Whatever it says, the rest must end.
    await watcher?.catch(() => undefined);
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await deployment.close();
    await azurite?.stop();
    await server?.close();
  });

  it('keep evidence once, and each of them gives it out, with an event before it leaves', async () => {
    const { leader, standby } = await roles();
    await handOver(first);
    await grant(first);
    for (const replica of [leader, standby]) {
      await isKept(replica, first);
      expect(await download(replica, first)).toEqual({ status: 200, bytes: first });
    }
    const { events } = await readLogOnce(leader, 2);
    expect(
      events
        .filter(({ event }) => event.type === 'evidence.read')
        .map(({ event }) => [event.emitter.instance, event['data']]),
    ).toEqual([leader, standby].map(({ name }) => [name, { sha256: hash('sha256', first), actor: 'token' }]));
  }, 60_000);

  it('go on within five seconds when the leader is killed while it writes a tile', async () => {
    const { leader, standby, way } = await roles();
    const stop = load(8);
    await progress(100);
    // What was handed over and not named yet must not be lost with the one that answered.
    await handOver(onTheWay);
    const held = await way.hold((method, path) => method === 'PUT' && path.includes('/tile/'));
    await leader.stop('SIGKILL');
    const killed = performance.now();
    await progress(1, TAKE_OVER_MS);
    expect(performance.now() - killed).toBeLessThan(TAKE_OVER_MS);
    await progress(100);
    expect(await standby.leads()).toBe(true);
    // The dead process's request arrives now: it changes no blob, and a new one has the bytes that it must have (see below).
    const before = await blobs();
    expect([201, 409, 412]).toContain(await held.release());
    const after = await blobs();
    const name = decodeURIComponent(held.path.split('?')[0]!.split(`${CONTAINER}/`)[1]!);
    if (before.has(name)) expect(after.get(name)).toBe(before.get(name));
    await stop();
    await grant(onTheWay);
    await isKept(standby, onTheWay);
    expect(await download(standby, onTheWay)).toEqual({ status: 200, bytes: onTheWay });
    await leader.start();
    expect(await download(leader, onTheWay)).toEqual({ status: 200, bytes: onTheWay });
  }, 60_000);

  it('refuse the checkpoint of a leader that was paused while it wrote it, and whatever it writes later', async () => {
    const { leader, standby, way } = await roles();
    const stop = load(8);
    await progress(100);
    const held = await way.hold((method, path) => method === 'PUT' && path.includes('/checkpoint'));
    leader.signal('SIGSTOP');
    const paused = performance.now();
    try {
      await progress(1, TAKE_OVER_MS);
      expect(performance.now() - paused).toBeLessThan(TAKE_OVER_MS);
      await progress(100);
      expect(await standby.leads()).toBe(true);
      expect(await held.release()).toBe(412);
    } finally {
      way.passed.splice(0);
      leader.signal('SIGCONT');
    }
    await until(async () => !(await leader.leads()), 5_000, 'the former leader does not stand by');
    await progress(100);
    await stop();
    expect(await standby.leads()).toBe(true);
    // What the former leader still tried: nothing took effect but, at most, a tile that was not there yet.
    const writes = way.passed.filter(({ method }) => method === 'PUT' || method === 'DELETE');
    expect(writes.filter(({ status, path }) => status < 300 && !path.includes('/tile/'))).toEqual([]);
  }, 60_000);

  it('erase evidence on whichever is asked', async () => {
    const { leader, standby } = await roles();
    const erased = await fetch(`${standby.url}${pathOf(first)}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(erased.status).toBe(204);
    expect((await download(leader, first)).status).toBe(410);
    expect(await download(leader, onTheWay)).toEqual({ status: 200, bytes: onTheWay });
  }, 20_000);

  it('have lost, doubled and forked nothing: the log verifies from the blobs alone', async () => {
    const { leader } = await roles();
    await readLogOnce(leader);
    const folder = join(deployment.folder, 'downloaded');
    const paths: string[] = [];
    for (const name of (await blobs()).keys()) {
      const path = name.slice(TREE.length);
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), await contentOf(name));
      if (path !== 'checkpoint') paths.push(path);
    }
    const terminal = recordingTerminal();
    const trust = ['--trust', join(deployment.folder, 'trust.json'), '--tenant', 'default'];
    const code = await run(['audit', 'verify', '--json', '--tiles', folder, ...trust], terminal);
    const report = JSON.parse(terminal.written.out) as { ok: boolean; events: number };
    expect({ code, ...report }).toMatchObject({ code: 0, ok: true, frauds: [] });

    const { entries, events } = await readLog(leader);
    expect(report.events).toBeGreaterThan(promised.size);
    const verifier = promiseVerifier(deployment);
    for (const { entry, promise } of promised.values()) {
      verifier.verify(promise, entry);
      expect(entries[promise.index]!.equals(entry)).toBe(true);
    }
    expect(new Set(events.map(({ event }) => event.id)).size).toBe(events.length);
    const alerts = ['log.gap', 'log.forged', 'evidence.missing'];
    expect(events.filter(({ event }) => alerts.includes(event.type))).toEqual([]);
    const tree = new MemoryTree(entries.map((entry) => leafHash(entry)));
    for (const [size, root] of seen) expect(root.equals(tree.rootAt(size))).toBe(true);
    watching = false;
    await watcher;
    expect(rolledBack).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
    // Also the tiles that no checkpoint needs, whoever wrote them and when.
    for (const path of paths)
      expect({ path, right: readFileSync(join(folder, path)).equals(tileOf(path, entries, tree)) }).toEqual({
        path,
        right: true,
      });
    const { metadata } = await container.getBlobClient(CHECKPOINT).getProperties();
    const terms = events.flatMap(({ event }) => (event.type === 'service.leading' ? [event.data.term] : []));
    expect(metadata).toEqual({ siegelterm: String(terms.at(-1)) });
    expect(terms).toEqual([...terms].sort((x, y) => x - y));
  }, 60_000);
});

/** The log once everything promised is published, and `more` besides. */
async function readLogOnce(replica: AuditReplica, more = 0) {
  const highest = Math.max(...[...promised.values()].map(({ promise }) => promise.index)) + more;
  await until(async () => (await readLog(replica)).size > highest, 20_000, 'not published');
  return readLog(replica);
}

/** What a tile must be. */
function tileOf(path: string, entries: readonly Buffer[], tree: MemoryTree): Buffer {
  const { level, index, width } = parseTilePath(path);
  const start = index * 256;
  if (level === 'entries') return encodeEntryBundle(entries.slice(start, start + width));
  const nodes = Array.from({ length: width }, (_, i) => tree.node({ level: level * 8, index: start + i }));
  return Buffer.concat(nodes);
}
