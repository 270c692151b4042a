import {
  ed25519Signer,
  ed25519Verifier,
  EMPTY_ROOT,
  extendTiles,
  MemoryTileStorage,
  openSuccession,
  peekSuccession,
  signCheckpoint,
  signNote,
  signSuccession,
  type TreeHead,
} from '#transparency';
import { beforeEach, describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { AuditorTrust } from './auditor-trust.js';
import { LogKeys } from './log-keys.js';
import { LogWatch } from './log-watch.js';
import { verifyLog } from './verify-log.js';

const ORIGIN = 'log.test/default';
const NOW = new Date('2026-01-01T01:00:00Z');
const pair = () => generateKeyPairSync('ed25519');
type Pair = ReturnType<typeof pair>;
const [first, second, third, thief] = [pair(), pair(), pair(), pair()];
const emitter = pair();
const succession = (next: Pair, by: Pair, origin = ORIGIN) =>
  signSuccession(origin, next.publicKey, 1_000, ed25519Signer(origin, by.privateKey));

const trustIn = (pinned: Pair): AuditorTrust => ({
  origin: ORIGIN,
  keys: new LogKeys(ORIGIN, pinned.publicKey),
  emitters: new Map([['k', { name: 'audit', key: emitter.publicKey }]]),
  witnesses: [],
  onlyLog: true,
});

let seq = 0;
function entry(note?: string): Buffer {
  const event = {
    id: `id-${++seq}`,
    type: note === undefined ? 'service.started' : 'log.key',
    tenant: 'default',
    time: NOW.toISOString(),
    emitter: { name: 'audit', epoch: 'one', seq },
    data: note === undefined ? {} : { previous: 'a', next: 'b', succession: note },
  };
  const sig = sign(null, Buffer.from(canonicalize(event)!), emitter.privateKey).toString('base64url');
  return Buffer.from(canonicalize({ event, kid: 'k', sig })!);
}

/** A log that publishes under the keys that it is told to. */
class Log {
  readonly storage = new MemoryTileStorage();
  readonly entries: Buffer[] = [];
  private head: TreeHead = { size: 0, root: EMPTY_ROOT };

  async publish(by: readonly Pair[], ...more: Buffer[]): Promise<string> {
    this.entries.push(...more);
    this.head = await extendTiles(this.storage, this.head, this.entries.length, (start, end) =>
      this.entries.slice(start, end),
    );
    const signers = by.map(({ privateKey }) => ed25519Signer(ORIGIN, privateKey));
    const note = signCheckpoint({ origin: ORIGIN, ...this.head, extensions: [] }, signers);
    this.storage.files.set('checkpoint', Buffer.from(note));
    return note;
  }
}
const verify = async (log: Log, pinned: Pair) =>
  (await verifyLog(log.storage, trustIn(pinned), { promiseMarginMs: 0, maxDelayMs: 3_600_000, now: NOW }))
    .frauds;

/** Follows a log as it is delivered: everything up to `to`, then the checkpoint. */
async function follow(watch: LogWatch, log: Log, to = log.entries.length) {
  const frauds = [];
  for (let i = watch.next ?? 0; i < to; i++) frauds.push(...(await watch.event(log.entries[i]!, i, NOW)));
  if (frauds.length > 0) return frauds;
  return (await watch.checkpoint(log.storage.files.get('checkpoint')!.toString(), NOW)).frauds;
}

let log: Log;
beforeEach(() => {
  seq = 0;
  log = new Log();
});

describe('a change of the key by a chain of successions', () => {
  it('is followed over the overlap and behind it, from the first key alone', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry(), entry());
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([second, first], entry(succession(second, first)));
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([second], entry());
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([third], entry(succession(third, second)), entry());
    expect(await follow(watch, log)).toEqual([]);
    expect(watch.verified).toBe(6);
    expect(await verify(log, first)).toEqual([]);
    expect(await verify(log, second)).toEqual([]);
    expect(await verify(log, third)).toEqual([]);
    // What was learned is remembered with the rest.
    const later = new LogWatch(log.storage, trustIn(first), 3_600_000, watch.state);
    await log.publish([third], entry());
    expect(await follow(later, log)).toEqual([]);
  });

  it('is verified during the overlap, and followed where the checkpoint comes before its events', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry());
    await follow(watch, log);
    const note = await log.publish([second, first], entry(succession(second, first)));
    expect((await watch.checkpoint(note, NOW)).frauds).toEqual([]);
    expect(await follow(watch, log)).toEqual([]);
    expect([await verify(log, first), await verify(log, second)]).toEqual([[], []]);
    // A line of the next key that does not hold is a forgery, although the key before signed as well.
    const [text, ...lines] = note.split('\n\n');
    const forged = `${text}\n\n${lines.join('\n\n').replace(/^(\S+ \S+ \S{20})./, (line, kept) => `${kept}${line.endsWith('A') ? 'B' : 'A'}`)}`;
    log.storage.files.set('checkpoint', Buffer.from(forged));
    expect((await verify(log, first)).map(({ kind }) => kind)).toEqual(['forged']);
  });

  it('is followed by an auditor who was away for all of the overlap', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry());
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([second], entry(succession(second, first)), entry());
    expect(await follow(watch, log)).toEqual([]);
  });
});

describe('frauds with the key', () => {
  const kinds = (frauds: readonly unknown[]) => frauds.map((found) => (found as { kind: string }).kind);

  it('a new key without any succession is forged', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry());
    await follow(watch, log);
    await log.publish([thief], entry());
    expect(kinds(await follow(watch, log))).toEqual(['forged']);
    expect(kinds(await verify(log, first))).toEqual(['forged']);
  });

  it.each<[string, () => string]>([
    ['signed by the new key itself', () => succession(thief, thief)],
    [
      'with the name of the old key and a signature of the new',
      () => {
        const { text, keyId } = (() => {
          const real = succession(thief, first);
          return {
            text: real.slice(0, real.indexOf('\n\n') + 1),
            keyId: ed25519Verifier(ORIGIN, first.publicKey).keyId,
          };
        })();
        const impostor = {
          name: ORIGIN,
          keyId,
          sign: (bytes: Buffer) => sign(null, bytes, thief.privateKey),
        };
        return signNote(text, [impostor]);
      },
    ],
    ['of another log by the right key', () => succession(thief, first, 'log.test/other')],
    [
      'whose key was exchanged',
      () => {
        const vkey = peekSuccession(succession(thief, thief)).vkey;
        return succession(second, first).replace(peekSuccession(succession(second, first)).vkey, vkey);
      },
    ],
    ['that is no note', () => 'hello'],
  ])('a succession %s makes no key believed', async (_, forge) => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry());
    await follow(watch, log);
    await log.publish([thief], entry(forge()), entry());
    expect(kinds(await follow(watch, log))[0]).toBe('forged');
    expect(kinds(await verify(log, first))).toContain('forged');
  });

  it('two successors of one key are a fork', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([second, first], entry(succession(second, first)));
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([second, first], entry(succession(third, first)));
    expect(kinds(await follow(watch, log))).toEqual(['forked']);
    expect(kinds(await verify(log, first))).toContain('forked');
  });

  it('a retired key that was stolen signs nothing any more', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([second, first], entry(succession(second, first)));
    expect(await follow(watch, log)).toEqual([]);
    await log.publish([first], entry());
    expect(kinds(await follow(watch, log))).toEqual(['forged']);
    expect(kinds(await verify(log, first))).toEqual(['forged']);
    const again = new LogWatch(log.storage, trustIn(first), 3_600_000, watch.state);
    expect(kinds(await follow(again, log))).toEqual(['forged']);
  });

  it('an announcement that its own key does not sign is forged', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    await log.publish([first], entry(succession(second, first)));
    expect(kinds(await follow(watch, log))).toEqual(['forged']);
    expect(kinds(await verify(log, first))).toEqual(['forged']);
  });

  it('a valid succession that the log does not announce is none', async () => {
    await log.publish([second], entry());
    expect(kinds(await verify(log, first))).toEqual(['forged']);
  });
});

describe('a succession', () => {
  it('opens under the key before it alone, for its log alone', () => {
    const note = succession(second, first);
    const verifier = ed25519Verifier(ORIGIN, first.publicKey);
    expect(openSuccession(note, ORIGIN, verifier).publicKey.equals(second.publicKey)).toBe(true);
    expect(() => openSuccession(note, 'log.test/other', verifier)).toThrow();
    expect(() => openSuccession(note, ORIGIN, ed25519Verifier(ORIGIN, second.publicKey))).toThrow();
  });

  it.each([
    [
      'another header',
      (note: string) => note.replace('siegel-log-succession/v1', 'siegel-log-succession/v2'),
    ],
    ['a line more', (note: string) => note.replace('\n1000\n', '\n1000\nmore\n')],
    ['a time that is none', (note: string) => note.replace('\n1000\n', '\n-1\n')],
    ['a key of another name', (note: string) => note.replace(`\n${ORIGIN}\n`, '\nlog.test/other\n')],
  ])('with %s is malformed', (_, change) => {
    expect(() => peekSuccession(change(succession(second, first)))).toThrow(
      expect.objectContaining({ code: 'SUCCESSION_MALFORMED' }),
    );
  });

  it('is never a checkpoint, nor a checkpoint a succession', async () => {
    const watch = new LogWatch(log.storage, trustIn(first), 3_600_000);
    expect((await watch.checkpoint(succession(second, first), NOW)).frauds.map(({ kind }) => kind)).toEqual([
      'forged',
    ]);
    const note = await log.publish([first], entry());
    expect(() => peekSuccession(note)).toThrow();
  });
});
