import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VaultError, isVaultError, type VaultErrorCode } from '../errors.js';
import type {
  CertificateValue,
  ObjectRef,
  ReadOptions,
  SecretSource,
  SecretValue,
} from '../secret-source.js';
import { CachingReader, type CachingReaderOptions } from './caching-reader.js';
import { ManualClock, settle } from './manual-clock.js';

const version = (n: number): string => n.toString(16).padStart(32, '0');
type Answer = { value?: string; version?: string; expiresOn?: Date; notBefore?: Date } | VaultErrorCode;

/** A vault whose answers the test decides, one by one or for good. */
class ScriptedSource implements SecretSource {
  readonly name = 'scripted';
  readonly kind = 'scripted';
  readonly reads: { ref: ObjectRef; options: ReadOptions; at: number }[] = [];
  readonly given: Buffer[] = [];
  next: Answer[] = [];
  answer: Answer = { value: 'v' };
  held: (() => void)[] | undefined;
  closed = false;

  constructor(private readonly clock: ManualClock) {}

  async getSecret(ref: ObjectRef, options: ReadOptions = {}): Promise<SecretValue> {
    this.reads.push({ ref, options, at: this.clock.monotonic() });
    const answer = this.next.shift() ?? this.answer;
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held?.push(resolve));
    if (typeof answer === 'string') {
      const answered = /^SECRET_|FORBIDDEN|THROTTLED/.test(answer);
      throw new VaultError(answer, `scripted ${answer}`, answered ? { httpStatus: 400 } : {});
    }
    const value = Buffer.from(answer.value ?? 'v');
    this.given.push(value);
    const { expiresOn, notBefore } = answer;
    return {
      value,
      version: answer.version ?? ref.objectVersion ?? version(1),
      enabled: true,
      requestId: `request-${this.reads.length}`,
      ...(expiresOn === undefined ? {} : { expiresOn }),
      ...(notBefore === undefined ? {} : { notBefore }),
    };
  }

  getCertificate(): Promise<CertificateValue> {
    return Promise.reject(new VaultError('SECRET_CONTENT_INVALID', 'none'));
  }

  release(): void {
    for (const resolve of this.held?.splice(0) ?? []) resolve();
  }

  check(): Promise<{ ok: boolean }> {
    return Promise.resolve({ ok: true });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

let clock: ManualClock;
let source: ScriptedSource;
let reader: CachingReader;
const open = (options: CachingReaderOptions = {}): CachingReader => {
  reader = new CachingReader(source, { clock, random: () => 1, ...options });
  return reader;
};
const db = { objectName: 'db' };
const text = async (promise: Promise<SecretValue>): Promise<string> => (await promise).value.toString();
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isVaultError(error) ? error.code : String(error)),
  );

beforeEach(() => {
  clock = new ManualClock();
  source = new ScriptedSource(clock);
});
afterEach(() => reader.close());

describe('CachingReader: cache', () => {
  it('serves within the maximum age from memory, with age and the request id of the read', async () => {
    open({ maxAgeSeconds: 60 });
    await reader.getSecret(db);
    await clock.advance(59_000);
    expect(await reader.getSecret(db)).toMatchObject({ ageSeconds: 59, requestId: 'request-1' });
    await clock.advance(2_000);
    expect(await reader.getSecret(db)).toMatchObject({ ageSeconds: 0, requestId: 'request-2' });
    expect(reader.stats()).toMatchObject({ vaultReads: 2, hits: 1 });
  });

  it('keeps versions apart, and knows the latest also by its version', async () => {
    open();
    source.next = [{ value: 'new', version: version(2) }];
    expect(await text(reader.getSecret(db))).toBe('new');
    expect(await text(reader.getSecret({ ...db, objectVersion: version(2) }))).toBe('new');
    expect(source.reads).toHaveLength(1);
    await reader.getSecret({ ...db, objectVersion: version(1) });
    expect(source.reads).toHaveLength(2);
  });

  it('gives copies: a caller who zeroes his does not harm the next', async () => {
    open();
    (await reader.getSecret(db)).value.fill(0);
    (await reader.getSecret(db)).value.fill(0);
    expect(await text(reader.getSecret(db))).toBe('v');
  });

  it('zeroes the bytes that it got once every caller has his copy', async () => {
    open();
    await Promise.all([reader.getSecret(db), reader.getSecret(db)]);
    await settle();
    expect(source.given[0]).toEqual(Buffer.alloc(1));
  });

  it('keeps to its bound, and evicts what was used least', async () => {
    open({ maxEntries: 4 });
    for (const objectName of ['a', 'b', 'c']) await reader.getSecret({ objectName });
    expect(reader.stats().entries).toBe(4);
    await reader.getSecret({ objectName: 'c' });
    await reader.getSecret({ objectName: 'a' });
    expect(source.reads.map(({ ref }) => ref.objectName)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('forgets values that are older than it may retain them', async () => {
    open({ maxAgeSeconds: 10, retainSeconds: 100 });
    await reader.getSecret(db);
    await clock.advance(90_000);
    expect(reader.stats().entries).toBe(2);
    await clock.advance(60_000);
    expect(reader.stats().entries).toBe(0);
  });

  it('reads again after a change was announced, and a reader that needs the newest does not join an older read', async () => {
    open();
    await reader.getSecret(db);
    reader.invalidate('DB');
    source.next = [{ value: 'rotated', version: version(2) }];
    expect(await text(reader.getSecret(db))).toBe('rotated');
    source.held = [];
    source.next = [{ value: 'old' }, { value: 'newest' }];
    reader.invalidate('db');
    const before = reader.getSecret(db);
    await settle();
    reader.invalidate('db');
    const after = reader.getSecret(db);
    await settle();
    source.release();
    await settle();
    source.release();
    expect(await Promise.all([text(before), text(after)])).toEqual(['old', 'newest']);
  });

  it('goes to the vault where a refresh is asked for', async () => {
    open();
    await reader.getSecret(db);
    source.next = [{ value: 'rotated', version: version(2) }];
    expect(await text(reader.getSecret(db, { refresh: true }))).toBe('rotated');
    expect(await text(reader.getSecret(db))).toBe('rotated');
    expect(source.reads).toHaveLength(2);
  });

  it('judges the window at the time of each release, not of the read', async () => {
    open({ maxAgeSeconds: 3_600 });
    source.answer = { expiresOn: new Date(clock.now() + 5_000) };
    expect(await codeOf(reader.getSecret(db))).toBe('no error');
    await clock.advance(5_000);
    expect(await codeOf(reader.getSecret(db))).toBe('SECRET_EXPIRED');
    expect(await codeOf(reader.getSecret(db, { allowExpired: true }))).toBe('no error');
    expect(source.reads).toHaveLength(1);
  });
});

describe('CachingReader: a fleet', () => {
  it('turns 50,000 reads of 5 secrets at once into 5 reads of the vault', async () => {
    open();
    source.held = [];
    const reads = Array.from({ length: 50_000 }, (_, i) =>
      reader.getSecret({ objectName: `secret-${i % 5}` }),
    );
    await settle();
    source.release();
    const values = await Promise.all(reads);
    expect(values.every(({ value }) => value.toString() === 'v')).toBe(true);
    expect(source.reads).toHaveLength(5);
    expect(reader.stats().joined).toBe(49_995);
  });

  it('asks once for what is refused, and again after a while', async () => {
    open({ denialAgeSeconds: 5 });
    source.answer = 'SECRET_NOT_FOUND';
    const codes = await Promise.all(Array.from({ length: 100 }, () => codeOf(reader.getSecret(db))));
    expect(new Set(codes)).toEqual(new Set(['SECRET_NOT_FOUND']));
    await clock.advance(4_000);
    await codeOf(reader.getSecret(db));
    expect(source.reads).toHaveLength(1);
    await clock.advance(2_000);
    source.answer = { value: 'v' };
    expect(await codeOf(reader.getSecret(db))).toBe('no error');
  });

  it('lets a caller give up without ending the read for the others', async () => {
    open();
    source.held = [];
    const impatient = new AbortController();
    const [first, second] = [
      codeOf(reader.getSecret(db, { signal: impatient.signal })),
      codeOf(reader.getSecret(db)),
    ];
    await settle();
    impatient.abort();
    expect(await first).toBe('VAULT_ABORTED');
    source.release();
    expect(await second).toBe('no error');
    expect(source.reads).toHaveLength(1);
  });

  it('never sends more than the budget in any ten seconds', async () => {
    open({ readsPer10Seconds: 40, readTimeoutSeconds: 100 });
    const reads = Array.from({ length: 200 }, (_, i) => reader.getSecret({ objectName: `s${i}` }));
    await clock.advance(90_000);
    await Promise.all(reads);
    const times = source.reads.map(({ at }) => at);
    const busiest = Math.max(
      ...times.map((from) => times.filter((at) => at >= from && at < from + 10_000).length),
    );
    expect(busiest).toBeLessThanOrEqual(40);
    expect(busiest).toBeGreaterThan(30);
  });

  it('says that the budget is spent when the wait would be too long', async () => {
    open({ readsPer10Seconds: 2, readTimeoutSeconds: 4 });
    expect(await codeOf(reader.getSecret({ objectName: 'a' }))).toBe('no error');
    expect(await codeOf(reader.getSecret({ objectName: 'b' }))).toBe('VAULT_BUDGET_EXHAUSTED');
  });
});

describe('CachingReader: a vault in trouble', () => {
  it('retries a throttled read by the ladder, and succeeds', async () => {
    open({ maxAttempts: 5, readTimeoutSeconds: 60 });
    source.next = ['VAULT_THROTTLED', 'VAULT_THROTTLED', 'VAULT_THROTTLED'];
    const read = codeOf(reader.getSecret(db));
    await clock.advance(20_000);
    expect(await read).toBe('no error');
    expect(source.reads.map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000]);
    expect(reader.stats().throttled).toBe(3);
  });

  it('holds back all reads while one of them is throttled', async () => {
    open({ readTimeoutSeconds: 60 });
    source.next = ['VAULT_THROTTLED'];
    const first = reader.getSecret(db);
    await settle();
    const second = reader.getSecret({ objectName: 'other' });
    await settle();
    expect(source.reads).toHaveLength(1);
    await clock.advance(1_000);
    await Promise.all([first, second]);
    expect(source.reads.map(({ at }) => at)).toEqual([0, 1_000, 1_000]);
  });

  it('tells how long to wait when the time for the read is shorter than the back-off', async () => {
    open({ readTimeoutSeconds: 0.5 });
    source.answer = 'VAULT_THROTTLED';
    const error = await reader.getSecret(db).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'VAULT_THROTTLED', details: { retryAfterMs: 1_000 } });
  });

  it('lets an old value stand in within the age that the caller accepts, at once, and no older', async () => {
    open({ maxAgeSeconds: 10, retainSeconds: 1_000 });
    await reader.getSecret(db);
    await clock.advance(100_000);
    source.answer = 'VAULT_UNAVAILABLE';
    // The clock does not move: the stand-in comes after the first failure, not after all retries.
    expect(await reader.getSecret(db, { maxStaleSeconds: 100 })).toMatchObject({
      stale: true,
      ageSeconds: 100,
    });
    const strict = codeOf(reader.getSecret(db, { maxStaleSeconds: 99 }));
    const none = codeOf(reader.getSecret(db));
    await clock.advance(10_000);
    expect([await strict, await none]).toEqual(['VAULT_UNAVAILABLE', 'VAULT_UNAVAILABLE']);
    expect(reader.stats().staleServed).toBe(1);
  });

  it.each<VaultErrorCode>(['SECRET_DISABLED', 'SECRET_NOT_FOUND', 'VAULT_FORBIDDEN'])(
    'never lets an old value stand in for %s, also not in a later outage',
    async (code) => {
      open({ maxAgeSeconds: 10, denialAgeSeconds: 0 });
      await reader.getSecret(db);
      await clock.advance(11_000);
      source.next = [code];
      expect(await codeOf(reader.getSecret(db, { maxStaleSeconds: 3_600 }))).toBe(code);
      source.answer = 'VAULT_UNREACHABLE';
      await clock.advance(1);
      const later = codeOf(reader.getSecret(db, { maxStaleSeconds: 3_600 }));
      await clock.advance(20_000);
      expect(await later).toBe('VAULT_UNREACHABLE');
    },
  );

  it('opens after failures in a row, probes with one read at a time, and closes again', async () => {
    open({ maxAttempts: 1, breaker: { failures: 3, openSeconds: 2, maxOpenSeconds: 8 } });
    source.answer = 'VAULT_UNREACHABLE';
    for (let i = 0; i < 3; i++) await codeOf(reader.getSecret({ objectName: `s${i}` }));
    expect(reader.stats().circuit).toBe('open');
    const refused = await reader.getSecret(db).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'VAULT_CIRCUIT_OPEN', details: { retryAfterMs: 2_000 } });
    expect(String(refused)).toContain('VAULT_UNREACHABLE');
    expect(source.reads).toHaveLength(3);
    await clock.advance(2_000);
    const codes = await Promise.all(
      ['p', 'q', 'r'].map((objectName) => codeOf(reader.getSecret({ objectName }))),
    );
    expect(codes.sort()).toEqual(['VAULT_CIRCUIT_OPEN', 'VAULT_CIRCUIT_OPEN', 'VAULT_UNREACHABLE']);
    await clock.advance(3_999);
    expect(await codeOf(reader.getSecret(db))).toBe('VAULT_CIRCUIT_OPEN');
    await clock.advance(1);
    source.answer = { value: 'v' };
    expect(await codeOf(reader.getSecret(db))).toBe('no error');
    expect(reader.stats().circuit).toBe('closed');
  });

  it('is closed by an answer of any kind: a refusal is no failure', async () => {
    open({ maxAttempts: 1, breaker: { failures: 2 } });
    source.next = ['VAULT_UNREACHABLE', 'SECRET_NOT_FOUND', 'VAULT_UNREACHABLE'];
    for (const objectName of ['a', 'b', 'c']) await codeOf(reader.getSecret({ objectName }));
    expect(reader.stats().circuit).toBe('closed');
  });

  it('does not retry a refusal', async () => {
    open();
    source.answer = 'VAULT_FIREWALL';
    expect(await codeOf(reader.getSecret(db))).toBe('VAULT_FIREWALL');
    expect(source.reads).toHaveLength(1);
  });

  it('ends what is under way when it is closed, and gives nothing afterwards', async () => {
    open({ readTimeoutSeconds: 60 });
    await reader.getSecret({ objectName: 'kept' });
    source.answer = 'VAULT_THROTTLED';
    const waiting = codeOf(reader.getSecret(db));
    await settle();
    await reader.close();
    expect(await waiting).toBe('VAULT_CLOSED');
    expect(await codeOf(reader.getSecret({ objectName: 'kept' }))).toBe('VAULT_CLOSED');
    expect(source.closed).toBe(true);
    expect(reader.stats().entries).toBe(0);
  });
});
