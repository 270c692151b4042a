import {
  EMPTY_ROOT,
  MemoryTileStorage,
  type TreeHead,
  ed25519Signer,
  ed25519Verifier,
  extendTiles,
  signCheckpoint,
} from '#transparency';
import { beforeEach, describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { AuditorTrust } from './auditor-trust.js';
import { LogKeys } from './log-keys.js';
import { LogWatch } from './log-watch.js';

const ORIGIN = 'log.test/default';
const NOW = new Date('2026-01-01T01:00:00Z');
const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1_000);
const log = generateKeyPairSync('ed25519');
const emitter = generateKeyPairSync('ed25519');
const trust: AuditorTrust = {
  origin: ORIGIN,
  keys: new LogKeys(ORIGIN, log.publicKey),
  emitters: new Map([['k', { name: 'key-release', key: emitter.publicKey }]]),
  witnesses: [],
  onlyLog: true,
};

function entry(seq: number, epoch = 'one'): Buffer {
  const event = {
    id: `${epoch}-${seq}`,
    type: 'attestation.granted',
    tenant: 'default',
    time: NOW.toISOString(),
    emitter: { name: 'key-release', epoch, seq },
  };
  const sig = sign(null, Buffer.from(canonicalize(event)!), emitter.privateKey).toString('base64url');
  return Buffer.from(canonicalize({ event, kid: 'k', sig })!);
}

/** A log that grows, with tiles and checkpoint. */
class GrowingLog {
  readonly storage = new MemoryTileStorage();
  private head: TreeHead = { size: 0, root: EMPTY_ROOT };
  note = '';

  constructor(readonly entries: Buffer[] = []) {}

  async publish(...more: Buffer[]): Promise<string> {
    this.entries.push(...more);
    this.head = await extendTiles(this.storage, this.head, this.entries.length, (start, end) =>
      this.entries.slice(start, end),
    );
    this.note = signCheckpoint({ origin: ORIGIN, ...this.head, extensions: [] }, [
      ed25519Signer(ORIGIN, log.privateKey),
    ]);
    this.storage.files.set('checkpoint', Buffer.from(this.note));
    return this.note;
  }
}

describe('LogWatch', () => {
  let grown: GrowingLog;
  let watch: LogWatch;
  const deliver = async (from: number, to: number, of = watch): Promise<unknown[]> => {
    const frauds = [];
    for (let i = from; i < to; i++) frauds.push(...(await of.event(grown.entries[i]!, i, NOW)));
    return frauds;
  };
  const entries = (from: number, to: number): Buffer[] =>
    Array.from({ length: to - from }, (_, i) => entry(from + i + 1));

  beforeEach(() => {
    grown = new GrowingLog();
    watch = new LogWatch(grown.storage, trust, 3_600_000);
  });

  it('verifies events that come before their checkpoint, or after it', async () => {
    const first = await grown.publish(...entries(0, 10));
    expect(await deliver(0, 10)).toEqual([]);
    expect(await watch.checkpoint(first, NOW)).toEqual({ frauds: [], verified: 10, caughtUp: true });
    const second = await grown.publish(...entries(10, 700));
    await deliver(10, 300);
    expect(await watch.checkpoint(second, NOW)).toEqual({ frauds: [], verified: 10, caughtUp: false });
    await deliver(300, 700);
    expect(await watch.checkpoint(second, NOW)).toEqual({ frauds: [], verified: 700, caughtUp: true });
  });

  it('remembers over a restart, and takes a repeated delivery for what it is', async () => {
    await grown.publish(...entries(0, 300));
    await deliver(0, 300);
    await watch.checkpoint(grown.note, NOW);
    const state = JSON.parse(JSON.stringify(watch.state)) as never;
    const again = new LogWatch(grown.storage, trust, 3_600_000, state);
    expect(await deliver(200, 300, again)).toEqual([]);
    const note = await grown.publish(...entries(300, 301));
    expect(await deliver(300, 301, again)).toEqual([]);
    expect(await again.checkpoint(note, NOW)).toEqual({ frauds: [], verified: 301, caughtUp: true });
    expect(await again.event(entry(250, 'other'), 250, NOW)).toMatchObject([
      { kind: 'rewritten', index: 250 },
    ]);
  });

  it('can begin in the middle, with what came before proved by the next root', async () => {
    await grown.publish(...entries(0, 300));
    expect(await deliver(270, 300)).toEqual([]);
    expect(await watch.checkpoint(grown.note, NOW)).toEqual({ frauds: [], verified: 300, caughtUp: true });
  });

  it('finds an event that was never delivered', async () => {
    await grown.publish(...entries(0, 10));
    await deliver(0, 3);
    expect(await deliver(5, 6)).toMatchObject([{ kind: 'dropped', index: 3 }]);
  });

  it('finds an event that was delivered and is not what the log has', async () => {
    await grown.publish(...entries(0, 10));
    await deliver(0, 5);
    await watch.event(entry(6, 'other'), 5, NOW);
    await deliver(6, 10);
    expect(await watch.checkpoint(grown.note, NOW)).toMatchObject({
      frauds: [{ kind: 'rewritten', index: 5 }],
    });
  });

  it('finds an event that no checkpoint covers', async () => {
    await grown.publish(...entries(0, 5));
    await deliver(0, 5);
    await watch.checkpoint(grown.note, NOW);
    await watch.event(entry(6), 5, NOW);
    expect(await watch.checkpoint(grown.note, later(59))).toMatchObject({ frauds: [] });
    expect(await watch.checkpoint(grown.note, later(61))).toMatchObject({
      frauds: [{ kind: 'dropped', index: 5 }],
    });
  });

  it('finds a larger tree that is no continuation, though it knows no entry of it', async () => {
    await grown.publish(...entries(0, 5));
    await deliver(0, 5);
    await watch.checkpoint(grown.note, NOW);
    const fork = new GrowingLog([...grown.entries.slice(0, 4)]);
    const note = await fork.publish(entry(9, 'two'), entry(10, 'two'));
    grown.storage.files.clear();
    for (const [path, bytes] of fork.storage.files) grown.storage.files.set(path, bytes);
    expect(await watch.checkpoint(note, NOW)).toMatchObject({ frauds: [{ kind: 'forked', index: 4 }] });
  });

  it('does not wait for ever for a proof', async () => {
    await grown.publish(...entries(0, 5));
    await deliver(0, 5);
    await watch.checkpoint(grown.note, NOW);
    const note = await grown.publish(...entries(5, 9));
    grown.storage.files.clear();
    for (let i = 0; i < 5; i++) expect(await watch.checkpoint(note, NOW)).toMatchObject({ frauds: [] });
    expect(await watch.checkpoint(note, NOW)).toMatchObject({ frauds: [{ kind: 'forked' }] });
  });

  it('asks for the cosignature of a witness within a minute', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const strict = { ...trust, witnesses: [ed25519Verifier('w', publicKey)] };
    watch = new LogWatch(grown.storage, strict, 3_600_000);
    await grown.publish(...entries(0, 5));
    await deliver(0, 5);
    expect(await watch.checkpoint(grown.note, NOW)).toMatchObject({ frauds: [], verified: 5 });
    expect(await watch.checkpoint(grown.note, later(61))).toMatchObject({ frauds: [{ kind: 'forked' }] });
  });

  it.each([
    ['not JSON', Buffer.from('{')],
    ['another spelling', Buffer.from(` ${entry(1).toString()}`)],
    ['another kid', Buffer.from(entry(1).toString().replace('"kid":"k"', '"kid":"x"'))],
    ['a changed event', Buffer.from(entry(1).toString().replace('granted', 'deniedd'))],
    ['another tenant', Buffer.from(entry(1).toString().replace('default', 'unknown'))],
    ['no emitter', Buffer.from('{"event":{},"kid":"k","sig":"x"}')],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('calls %s forged', async (_, bytes) => {
    expect(await watch.event(bytes, 0, NOW)).toMatchObject([{ kind: 'forged', index: 0 }]);
  });
});
