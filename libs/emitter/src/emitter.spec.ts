import { beforeEach, describe, expect, it } from '@jest/globals';
import { SiegelError, SignedEvent } from '#contracts';
import { NatsRequestError, type NatsRequests } from '#platform';
import { leafHash, MemoryTree, promiseFromBatch, signBatch } from '#transparency';
import { generateKeyPairSync, sign } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditEmitter, type EmitterOptions, type EventDraft } from './emitter.js';

const ORIGIN = 'siegel.test/default';
const logKey = generateKeyPairSync('ed25519');
const ownKey = generateKeyPairSync('ed25519');

const draft: EventDraft = {
  tenant: 'default',
  type: 'service.stopped',
  outcome: 'ok',
  data: { service: 'key-release' },
};

/** A log in memory, with real signatures, that can be told to fail. It speaks for `requests.request`, which is all that is used. */
class MemoryLog {
  readonly entries: Buffer[] = [];
  /** What the next requests meet; an empty list means that the log answers. */
  readonly failures: (() => never)[] = [];
  origin = ORIGIN;
  silent = false;

  readonly requests = {
    request: (_subject: string, data: Uint8Array | string): Promise<Uint8Array> =>
      this.append(Buffer.from(data)),
  } as unknown as NatsRequests;

  get numbers(): number[] {
    return this.entries.map(
      (entry) =>
        (JSON.parse(entry.toString('utf8')) as { event: { emitter: { seq: number } } }).event.emitter.seq,
    );
  }

  private async append(entry: Buffer): Promise<Uint8Array> {
    if (this.silent) throw new NatsRequestError('timeout', 'append');
    this.failures.shift()?.();
    if (!this.entries.some((each) => each.equals(entry))) this.entries.push(entry);
    const tree = new MemoryTree([leafHash(entry)]);
    const at = { log: this.origin, start: this.entries.length - 1, time: 1, kid: 'log' };
    const batch = signBatch(at, tree, (statement) => sign(null, statement, logKey.privateKey));
    return Buffer.from(JSON.stringify({ promise: promiseFromBatch(batch, tree, at.start) }));
  }
}

describe('AuditEmitter', () => {
  let log: MemoryLog;
  let reported: string[];
  const emitterOf = (options: Partial<EmitterOptions> = {}): AuditEmitter =>
    new AuditEmitter(log.requests, {
      name: 'key-release',
      instance: 'one',
      key: { kid: 'own', sign: (data) => sign(null, data, ownKey.privateKey) },
      logs: [ORIGIN, 'siegel.test/other'].map((origin) => ({
        origin,
        kid: 'log',
        publicKey: logKey.publicKey,
      })),
      originOf: (tenant) => `siegel.test/${tenant}`,
      retryMs: 5,
      onError: (message) => reported.push(message),
      ...options,
    });
  const fails = (error: Error) => (): never => {
    throw error;
  };
  const settled = async (emitter: AuditEmitter): Promise<void> => {
    for (let waited = 0; waited < 200 && !emitter.available; waited++) await sleep(5);
    expect(emitter.available).toBe(true);
  };

  beforeEach(() => {
    log = new MemoryLog();
    reported = [];
  });

  it('gives the promise of the log, and numbers without gaps', async () => {
    const emitter = emitterOf();
    const recorded = await Promise.all(Array.from({ length: 10 }, () => emitter.record(draft)));
    expect(recorded.map(({ promise }) => promise.log)).toEqual(Array(10).fill(ORIGIN));
    expect([...log.numbers].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(emitter.available).toBe(true);
  });

  it.each([
    ['timeout', 'AUDIT_UNAVAILABLE'],
    ['no-responders', 'AUDIT_UNAVAILABLE'],
    ['disconnected', 'AUDIT_UNAVAILABLE'],
  ] as const)(
    '%s: refuses now, hands the event in later, under the same number, once',
    async (kind, code) => {
      const emitter = emitterOf();
      log.failures.push(fails(new NatsRequestError(kind, 'append')));
      await expect(emitter.record(draft)).rejects.toMatchObject({ code, reason: { code: kind } });
      expect(emitter.available).toBe(false);
      await settled(emitter);
      await emitter.record(draft);
      expect(log.numbers).toEqual([1, 2]);
      await emitter.close();
    },
  );

  it('hands the backlog in in the order of its numbers', async () => {
    const emitter = emitterOf();
    log.silent = true;
    const refused = await Promise.allSettled(Array.from({ length: 20 }, () => emitter.record(draft)));
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    log.silent = false;
    await settled(emitter);
    expect(log.numbers).toEqual(Array.from({ length: 20 }, (_unused, at) => at + 1));
    await emitter.close();
  });

  it('takes no more when the backlog is full, without using up a number', async () => {
    const emitter = emitterOf({ maxBacklog: 3, retryMs: 60_000 });
    log.silent = true;
    for (let each = 0; each < 5; each++)
      await expect(emitter.record(draft)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    log.silent = false;
    await emitter.close();
    expect(log.numbers).toEqual([1, 2, 3]);
    await expect(emitter.record(draft)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  it('keeps what the log asks to send again, drops what it refuses for good', async () => {
    const emitter = emitterOf();
    log.failures.push(fails(new SiegelError('AUDIT_BACKPRESSURE')));
    await expect(emitter.record(draft)).rejects.toMatchObject({ code: 'AUDIT_BACKPRESSURE' });
    await settled(emitter);
    log.failures.push(fails(new SiegelError('AUDIT_SIGNATURE_INVALID')));
    // No denial: whatever comes over the broker decides nothing.
    await expect(emitter.record(draft)).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      reason: { code: 'AUDIT_SIGNATURE_INVALID' },
    });
    expect(emitter.available).toBe(true);
    expect(reported).toEqual(['event 2 was refused: AUDIT_SIGNATURE_INVALID']);
    expect(log.numbers).toEqual([1]);
  });

  it('believes no promise of another log, even a trusted one', async () => {
    const emitter = emitterOf({ retryMs: 60_000 });
    log.origin = 'siegel.test/other';
    await expect(emitter.record(draft)).rejects.toMatchObject({
      code: 'AUDIT_PROMISE_INVALID',
      reason: { code: 'LOG_FOREIGN' },
    });
    log.origin = ORIGIN;
    await emitter.close();
    expect(reported).toEqual([]);
  });

  it('believes no promise that is signed by another key', async () => {
    const stranger = generateKeyPairSync('ed25519').publicKey;
    const emitter = emitterOf({
      logs: [{ origin: ORIGIN, kid: 'log', publicKey: stranger }],
      retryMs: 60_000,
    });
    await expect(emitter.record(draft)).rejects.toMatchObject({ code: 'AUDIT_PROMISE_INVALID' });
    expect(emitter.available).toBe(false);
    await emitter.close();
    expect(reported).toEqual(['1 events without a promise at shutdown']);
  });

  it('refuses an event that no log could keep, and gives its number to the next', async () => {
    const emitter = emitterOf();
    const huge = { ...draft, data: { service: 'x'.repeat(61_000) } } as EventDraft;
    await expect(emitter.record(huge)).rejects.toMatchObject({ code: 'AUDIT_EVENT_INVALID' });
    await emitter.record(draft);
    expect(log.numbers).toEqual([1]);
  });

  it('numbers without gaps whatever text an event is given', async () => {
    const emitter = emitterOf();
    const reason = { code: 'c'.repeat(100), message: `${'m'.repeat(999)}\u{1f600}` };
    await emitter.record({ ...draft, outcome: 'denied', reason });
    const unwritable = { ...draft, data: { service: Number.NaN } } as unknown as EventDraft;
    await expect(emitter.record(unwritable)).rejects.toMatchObject({ code: 'AUDIT_EVENT_INVALID' });
    await emitter.record(draft);
    expect(log.numbers).toEqual([1, 2]);
    const [first] = log.entries;
    expect(SignedEvent.parse(JSON.parse(first!.toString('utf8'))).event.reason).toEqual({
      code: 'c'.repeat(64),
      message: `${'m'.repeat(999)}\ufffd`,
    });
  });

  it('numbers each run of a process anew', async () => {
    const [one, other] = [emitterOf(), emitterOf()];
    await one.record(draft);
    await other.record(draft);
    expect(one.epoch).not.toBe(other.epoch);
    expect(log.numbers).toEqual([1, 1]);
  });
});
