import { STREAMS, SUBJECTS, SignedEvent } from '#contracts';
import { signedEntry } from '#emitter';
import type { NatsRequests } from '#platform';
import {
  type EntryPromise,
  MemoryTree,
  formatAddCheckpoint,
  leafHash,
  proveConsistency,
} from '#transparency';
import { Witness, WitnessStore } from '#witness';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { generateKeyPairSync, sign } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { promiseOf } from './audit-log-reader.js';
import { entriesIn, published, ServedLog } from './audit-served-log.js';

const EVENTS = 600;
/** The entry that the frauds are about. */
const AT = 300;

const deployment = new AuditDeployment({
  SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100',
  SIEGEL_AUDIT_GAP_GRACE_MS: '200',
});
const file = (name: string): string => join(deployment.folder, name);
const first = new TestEmitter(deployment.emitterKey);
let requests: NatsRequests;
let served: ServedLog;
let witness: Witness;
let store: WitnessStore;
let entries: Buffer[];
let honestNote: string;
let promises: EntryPromise[];

/** Events whose times are minutes ago, so that no irregularity can still be about to be recorded. */
const eventAt = (i: number, emitter = first): Buffer =>
  emitter.event({ time: new Date(Date.now() - 900_000 + i * 1_000).toISOString() }).entry;
const append = async (entry: Buffer): Promise<EntryPromise> =>
  promiseOf(await requests.request(SUBJECTS.auditAppend, entry, 5_000));

/** Emitters that lose, reorder, repeat and forge events: the log records each, and is honest. */
async function misbehave(): Promise<void> {
  const lossy = new TestEmitter(deployment.emitterKey);
  await append(eventAt(0, lossy));
  lossy.seq += 2;
  await append(eventAt(1, lossy));
  const [late, early] = [eventAt(2, lossy), eventAt(3, lossy)];
  for (const entry of [early, late, late]) await append(entry);
  const stranger = new TestEmitter({ ...deployment.emitterKey, kid: 'unknown' });
  await expect(append(stranger.event({ tenant: 'nobody' }).entry)).rejects.toThrow();
  await until(
    async () => {
      const { events } = await deployment.json<{ events: { event: { type: string } }[] }>(
        '/v1/events?outcome=alert',
      );
      return new Set(events.map(({ event }) => event.type)).size === 4;
    },
    10_000,
    'the log did not record what was wrong',
  );
}

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
  const manager = await jetstreamManager(await deployment.connect('operator'));
  await until(
    async () => manager.streams.info(STREAMS.events).then(Boolean, () => false),
    10_000,
    'no stream',
  );
  await manager.consumers.add(STREAMS.events, {
    durable_name: 'auditor',
    ack_policy: AckPolicy.All,
    filter_subject: `${SUBJECTS.events}.default.>`,
    max_ack_pending: 65_536,
  });
  await misbehave();
  promises = await Promise.all(Array.from({ length: EVENTS }, (_, i) => append(eventAt(i))));
  const tree = join(deployment.state, 'tree', 'default');
  const size = Math.max(...promises.map(({ index }) => index)) + 1;
  await until(
    () => entriesIn(tree, ORIGIN, deployment.logKey.privateKey).length >= size,
    20_000,
    'no checkpoint covers the events',
  );
  entries = entriesIn(tree, ORIGIN, deployment.logKey.privateKey);
  honestNote = readFileSync(join(tree, 'checkpoint'), 'utf8');
  writeFileSync(file('honest.checkpoint'), honestNote);
  served = await ServedLog.start('/v1/logs/default/');
  served.files = tree;
  // The auditor knows one log, as in a deployment of one tenant.
  const trust = JSON.parse(readFileSync(file('trust.json'), 'utf8')) as { logs: { origin: string }[] };
  trust.logs = trust.logs.filter(({ origin }) => origin === ORIGIN);
  writeFileSync(file('auditor-trust.json'), JSON.stringify(trust));
  const credentials = {
    siegelCredentials: 1,
    name: 'test',
    tenant: 'default',
    nats: {
      url: deployment.natsUrl,
      seed: readFileSync(file('auditor.seed'), 'utf8').trim(),
      inboxPrefix: '_INBOX_auditor',
      stream: STREAMS.events,
      consumer: 'auditor',
    },
    audit: { url: served.url },
    trust,
  };
  writeFileSync(file('creds.json'), JSON.stringify(credentials));
  store = WitnessStore.open(file('witness.db'));
  const { privateKey } = generateKeyPairSync('ed25519');
  witness = new Witness('w', privateKey, [{ name: ORIGIN, publicKey: deployment.logPublicKey }], store);
  expect(
    witness.addCheckpoint(formatAddCheckpoint({ oldSize: 0, proof: [], note: honestNote })),
  ).toMatchObject({
    status: 200,
  });
}, 120_000);
afterAll(async () => {
  await served?.close();
  store?.close();
  await deployment.close();
});

interface Found {
  code: number;
  frauds: { kind: string; index?: number }[];
  out: string;
}

async function siegel(
  ...args: string[]
): Promise<{ code: number; lines: Record<string, unknown>[]; out: string }> {
  const terminal = recordingTerminal({ cwd: deployment.folder });
  const code = await run([...args, '--json'], terminal);
  const out = terminal.written.out + terminal.written.err;
  const lines = terminal.written.out.split('\n').filter((line) => line !== '');
  return { code, out, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** `siegel audit follow`, as it goes on after it had verified the honest log. */
async function follow(): Promise<Found> {
  copyFileSync(file('remembered.state'), file('now.state'));
  const { code, lines, out } = await siegel(
    ...['audit', 'follow', '--creds', 'creds.json', '--state-file', 'now.state', '--once'],
  );
  return {
    code,
    out,
    frauds: lines.flatMap((line) => (line['fraud'] as Found['frauds'][0] | undefined) ?? []),
  };
}

/** `siegel audit verify` on the tiles that are served. */
async function verify(...more: string[]): Promise<Found> {
  const where = `${served.url}/v1/logs/default`;
  const { code, lines, out } = await siegel(
    ...['audit', 'verify', '--trust', 'auditor-trust.json', '--tiles', where],
    ...more,
  );
  return { code, out, frauds: (lines[0]?.['frauds'] as Found['frauds'] | undefined) ?? [] };
}

/** What the witness answers to the fraudulent log, with the best proof that its operator can make. */
async function submit(history: readonly Buffer[], note: string): Promise<number> {
  const known = entries.length;
  const oldSize = Math.min(known, history.length);
  const tree = new MemoryTree(history.map((entry) => leafHash(entry)));
  const proof = await proveConsistency(tree, oldSize, history.length);
  return witness.addCheckpoint(formatAddCheckpoint({ oldSize, proof, note })).status;
}

/** Publishes a history in place of the honest one, signed with the log's real key. */
async function commitFraud(history: readonly Buffer[], key = deployment.logKey.privateKey): Promise<string> {
  const { files, note } = await published(history, ORIGIN, key);
  served.files = files;
  return note;
}

/** Another event in place of an entry, with the same number and, if the emitter helps, its signature. */
function edited(entry: Buffer, withEmitterKey: boolean): Buffer {
  const { event, kid, sig } = SignedEvent.parse(JSON.parse(entry.toString('utf8')));
  const changed = { ...event, workload: 'nothing-to-see' } as typeof event;
  const key = { kid, sign: (data: Uint8Array) => sign(null, data, deployment.emitterKey.privateKey) };
  const signed = signedEntry(changed, key);
  if (withEmitterKey) return signed;
  const text = signed.toString('utf8');
  return Buffer.from(text.replace(/"sig":"[^"]+"/, `"sig":"${sig}"`));
}

const replaced = (change: (history: Buffer[]) => void): Buffer[] => {
  const history = [...entries];
  change(history);
  return history;
};

describe('an honest log', () => {
  it('is verified live and from its tiles', async () => {
    const { code, lines, out } = await siegel(
      ...['audit', 'follow', '--creds', 'creds.json', '--state-file', 'remembered.state', '--once'],
    );
    expect({ code, out: code === 0 ? '' : out }).toEqual({ code: 0, out: '' });
    expect(lines.filter((line) => 'verified' in line)).toHaveLength(entries.length);
    expect(await verify('--checkpoint', 'honest.checkpoint')).toMatchObject({ code: 0, frauds: [] });
    expect(await follow()).toMatchObject({ code: 0, frauds: [] });
  }, 60_000);

  it('may grow', async () => {
    const history = [...entries, eventAt(EVENTS, new TestEmitter(deployment.emitterKey))];
    await commitFraud(history);
    expect(await verify('--checkpoint', 'honest.checkpoint')).toMatchObject({ code: 0, frauds: [] });
  }, 30_000);
});

describe('an operator with the real log key who', () => {
  it('edits an event', async () => {
    const history = replaced((log) => (log[AT] = edited(log[AT]!, false)));
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 11, frauds: [{ kind: 'rewritten', index: AT }] });
    const { code, frauds } = await verify();
    expect({ code, first: frauds[0] }).toMatchObject({ code: 10, first: { kind: 'forged', index: AT } });
    expect(await submit(history, note)).toBe(409);
  }, 30_000);

  it("edits an event and has its emitter's key as well", async () => {
    const history = replaced((log) => (log[AT] = edited(log[AT]!, true)));
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 11, frauds: [{ kind: 'rewritten', index: AT }] });
    // The tiles alone are a perfect log: only memory tells.
    expect(await verify()).toMatchObject({ code: 0 });
    expect(await verify('--checkpoint', 'honest.checkpoint')).toMatchObject({
      code: 13,
      frauds: [{ kind: 'forked' }],
    });
    expect(await submit(history, note)).toBe(409);
  }, 30_000);

  it('deletes an event', async () => {
    const other = new TestEmitter(deployment.emitterKey);
    const history = [...entries.slice(0, AT), ...entries.slice(AT + 1), eventAt(0, other), eventAt(1, other)];
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 12, frauds: [{ kind: 'dropped', index: AT }] });
    expect(await verify()).toMatchObject({ code: 12, frauds: [{ kind: 'dropped', index: AT }] });
    expect(await submit(history, note)).toBe(422);
  }, 30_000);

  it('reorders events', async () => {
    const history = replaced((log) => ([log[AT], log[AT + 5]] = [log[AT + 5]!, log[AT]!]));
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 11, frauds: [{ kind: 'rewritten', index: AT }] });
    expect(await verify()).toMatchObject({ code: 11, frauds: [{ kind: 'rewritten' }] });
    expect(await submit(history, note)).toBe(409);
  }, 30_000);

  it('truncates the log', async () => {
    const history = entries.slice(0, AT);
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 14, frauds: [{ kind: 'rolled-back', index: AT }] });
    expect(await verify('--checkpoint', 'honest.checkpoint')).toMatchObject({
      code: 14,
      frauds: [{ kind: 'rolled-back', index: AT }],
    });
    expect(await submit(history, note)).toBe(409);
  }, 30_000);

  it('forks the log', async () => {
    const other = new TestEmitter(deployment.emitterKey);
    const branch = Array.from({ length: EVENTS }, (_, i) => eventAt(i, other));
    const history = [...entries.slice(0, AT), ...branch];
    const note = await commitFraud(history);
    expect(await follow()).toMatchObject({ code: 13, frauds: [{ kind: 'forked', index: AT }] });
    expect(await verify('--checkpoint', 'honest.checkpoint')).toMatchObject({
      code: 13,
      frauds: [{ kind: 'forked' }],
    });
    // Whoever remembers nothing can ask for the witness's word.
    expect(await verify('--witness', witness.verifierKey)).toMatchObject({
      code: 13,
      frauds: [{ kind: 'forked' }],
    });
    expect(await submit(history, note)).toBe(422);
  }, 30_000);

  it('breaks a promise, by another entry or by none', async () => {
    writeFileSync(file('promise.json'), JSON.stringify(promises.find(({ index }) => index === AT)));
    await commitFraud(entries);
    expect(await verify('--promise', 'promise.json')).toMatchObject({ code: 0 });
    await commitFraud(replaced((log) => (log[AT] = edited(log[AT]!, true))));
    expect(await verify('--promise', 'promise.json')).toMatchObject({
      code: 11,
      frauds: [{ kind: 'rewritten', index: AT }],
    });
    await commitFraud(entries.slice(0, AT));
    // Young promises may still be kept.
    expect(await verify('--promise', 'promise.json')).toMatchObject({ code: 0 });
    expect(await verify('--promise', 'promise.json', '--promise-margin', '0')).toMatchObject({
      code: 12,
      frauds: [{ kind: 'dropped', index: AT }],
    });
  }, 60_000);
});

describe('whoever has no key of the log and', () => {
  it('signs a checkpoint with another key', async () => {
    const note = await commitFraud(entries, generateKeyPairSync('ed25519').privateKey);
    expect(await follow()).toMatchObject({ code: 10, frauds: [{ kind: 'forged' }] });
    expect(await verify()).toMatchObject({ code: 10, frauds: [{ kind: 'forged' }] });
    expect(await submit(entries, note)).toBe(403);
  }, 30_000);

  it.each([
    ['changes a byte of an entry bundle', 'tile/entries/001', 'forged'],
    ['changes a byte of a hash tile', 'tile/0/001', 'rewritten'],
    ['changes a byte of an upper hash tile', 'tile/1/000.p/2', 'rewritten'],
  ])('%s', async (_, path, kind) => {
    const { files } = await published(entries, ORIGIN, deployment.logKey.privateKey);
    const bytes = Buffer.from(files.get(path)!);
    bytes[40]! ^= 1;
    files.set(path, bytes);
    served.files = files;
    const { code, frauds } = await verify();
    expect(code).toBeGreaterThanOrEqual(10);
    expect(frauds[0]!.kind).toBe(kind);
  });

  it('removes a tile', async () => {
    for (const path of ['tile/entries/001', 'tile/0/000', 'checkpoint']) {
      const { files } = await published(entries, ORIGIN, deployment.logKey.privateKey);
      files.delete(path);
      served.files = files;
      expect(await verify()).toMatchObject({ code: 12, frauds: [{ kind: 'dropped' }] });
    }
  });

  it('writes the same checkpoint in another way', async () => {
    const { files, note } = await published(entries, ORIGIN, deployment.logKey.privateKey);
    const [, root] = /^([A-Za-z0-9+/]{43}=)$/m.exec(note)!;
    const last = root!.at(-2)!;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const other = `${root!.slice(0, -2)}${alphabet[alphabet.indexOf(last) ^ 1]}=`;
    expect(Buffer.from(other, 'base64').equals(Buffer.from(root!, 'base64'))).toBe(true);
    files.set('checkpoint', Buffer.from(note.replace(root!, other)));
    served.files = files;
    expect(await verify()).toMatchObject({ code: 10, frauds: [{ kind: 'forged' }] });
  });
});

// These change the real log, so they come last.
describe('an operator of the live system who', () => {
  it('withholds an event from the auditor', async () => {
    served.files = join(deployment.state, 'tree', 'default');
    const emitter = new TestEmitter(deployment.emitterKey);
    for (let i = 0; i < 3; i++) await append(eventAt(EVENTS + i, emitter));
    // Taken and acknowledged in the auditor's place: the broker will never deliver it again.
    const js = jetstream(await deployment.connect('auditor'), { checkAPI: false } as never);
    const consumer = await js.consumers.get(STREAMS.events, 'auditor');
    const message = await consumer.next({ expires: 5_000 });
    await message!.ackAck();
    expect(await follow()).toMatchObject({ code: 12, frauds: [{ kind: 'dropped', index: entries.length }] });
  }, 30_000);

  it('back-dates an event, with the key of an emitter', async () => {
    const emitter = new TestEmitter(deployment.emitterKey);
    const { index } = await append(emitter.event({ time: '2025-01-02T03:04:05.678Z' }).entry);
    await until(
      () => entriesIn(served.files as string, ORIGIN, deployment.logKey.privateKey).length > index,
      10_000,
      'no checkpoint',
    );
    // Tiles and witness see an event like any other; its date is what is wrong.
    const tiles = join(deployment.state, 'tree', 'default');
    const { code, lines } = await siegel(
      'audit',
      'verify',
      '--trust',
      'auditor-trust.json',
      '--tiles',
      tiles,
    );
    expect({ code, frauds: lines[0]!['frauds'] }).toMatchObject({
      code: 10,
      frauds: [{ kind: 'forged', index }],
    });
    const manager = await jetstreamManager(await deployment.connect('operator'));
    await manager.consumers.delete(STREAMS.events, 'auditor');
    await manager.consumers.add(STREAMS.events, { durable_name: 'auditor', ack_policy: AckPolicy.All });
    expect(await follow()).toMatchObject({ code: 10, frauds: [{ kind: 'forged', index }] });
  }, 30_000);
});
