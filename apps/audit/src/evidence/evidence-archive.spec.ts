import { afterEach, describe, expect, it } from '@jest/globals';
import { hash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher, EvidenceUnreadable, readOrCreateEvidenceKey } from './evidence-cipher.js';
import { collateralId, CollateralWishes } from './collateral-wishes.js';
import { PendingEvidence } from './pending-evidence.js';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
const temporary = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-evidence-'));
  folders.push(folder);
  return folder;
};
const open = (path: string, key = Buffer.alloc(32, 7)) =>
  new EvidenceArchive(new DatabaseSync(path), new EvidenceCipher(key));
const kept = (bytes: Buffer, collateral?: string) => ({ sha256: hash('sha256', bytes), bytes, collateral });
const LIMITS = { maxAgeMs: 1_000, maxBytes: 1_000_000 };

describe('the archive', () => {
  it('gives back what it keeps, and remembers with it how far the log was looked through', () => {
    const path = join(temporary(), 'evidence.db');
    const archive = open(path);
    expect(archive.mark).toBeUndefined();
    const quote = kept(randomBytes(5_000), 'ab'.repeat(32));
    archive.commit([quote], 42, 1_000);
    archive.commit([quote], 43, 2_000);
    archive.close();
    const again = open(path);
    expect(again.mark).toBe(43);
    expect(again.read(quote.sha256)).toEqual(quote.bytes);
    expect(again.info(quote.sha256)).toEqual({
      sha256: quote.sha256,
      size: 5_000,
      stored: 1_000,
      collateral: 'ab'.repeat(32),
      collateralHeld: false,
    });
    expect(again.known([quote.sha256, 'cd'.repeat(32)])).toEqual([quote.sha256]);
    expect(again.read('cd'.repeat(32))).toBeUndefined();
    again.close();
  });

  it('shows nothing of it to whoever has the file and not the key', () => {
    const path = join(temporary(), 'evidence.db');
    const archive = open(path);
    const quote = kept(Buffer.from('a quote that names a machine'.repeat(20)));
    archive.commit([quote], 1, 1_000);
    archive.close();
    expect(readFileSync(path).includes('names a machine')).toBe(false);
    const stranger = open(path, Buffer.alloc(32, 8));
    expect(() => stranger.read(quote.sha256)).toThrow(EvidenceUnreadable);
    stranger.close();
  });

  it('does not give one piece of evidence for another', () => {
    const path = join(temporary(), 'evidence.db');
    const archive = open(path);
    const [one, two] = [kept(randomBytes(100)), kept(randomBytes(100))];
    archive.commit([one, two], 1, 1_000);
    archive.close();
    const database = new DatabaseSync(path);
    database
      .prepare('UPDATE evidence SET sealed = (SELECT sealed FROM evidence WHERE sha256 = ?) WHERE sha256 = ?')
      .run(Buffer.from(one.sha256, 'hex'), Buffer.from(two.sha256, 'hex'));
    database.close();
    const tampered = open(path);
    expect(tampered.read(one.sha256)).toEqual(one.bytes);
    expect(() => tampered.read(two.sha256)).toThrow(EvidenceUnreadable);
    tampered.close();
  });

  it('removes what is too old, and the oldest of what is too much', () => {
    const archive = open(join(temporary(), 'evidence.db'));
    const items = Array.from({ length: 10 }, () => kept(randomBytes(1_000)));
    items.forEach((item, i) => archive.commit([item], i, i * 100));
    expect(archive.purge(LIMITS, 1_250)).toBe(3);
    expect(archive.known(items.map(({ sha256 }) => sha256))).toHaveLength(7);
    expect(archive.purge({ ...LIMITS, maxBytes: 4_500 }, 1_250)).toBe(3);
    expect(archive.known(items.map(({ sha256 }) => sha256))).toEqual(
      items.slice(6).map(({ sha256 }) => sha256),
    );
    expect(archive.bytes).toBe(4_000);
    archive.close();
  });

  it('erases one, and keeps collateral as long as evidence names it', () => {
    const archive = open(join(temporary(), 'evidence.db'));
    const quote = kept(randomBytes(100), 'ab'.repeat(32));
    archive.commit([quote], 1, 0);
    archive.putCollateral('ab'.repeat(32), '{"a":1}', 0);
    archive.putCollateral('cd'.repeat(32), '{"b":1}', 0);
    archive.purge({ ...LIMITS, maxAgeMs: 1e12 }, 7_200_000);
    expect(archive.info(quote.sha256)!.collateralHeld).toBe(true);
    expect([archive.collateral('ab'.repeat(32)), archive.collateral('cd'.repeat(32))]).toEqual([
      '{"a":1}',
      undefined,
    ]);
    expect([archive.erase(quote.sha256), archive.erase(quote.sha256)]).toEqual([true, false]);
    expect(archive.read(quote.sha256)).toBeUndefined();
    archive.close();
  });
});

describe('the key', () => {
  it('is made once and must stay private and whole', () => {
    const path = join(temporary(), 'evidence.key');
    const key = readOrCreateEvidenceKey(path);
    expect(readOrCreateEvidenceKey(path)).toEqual(key);
    chmodSync(path, 0o640);
    expect(() => readOrCreateEvidenceKey(path)).toThrow(/readable by others/);
    const short = join(temporary(), 'short.key');
    writeFileSync(short, 'AAAA\n', { mode: 0o600 });
    expect(() => readOrCreateEvidenceKey(short)).toThrow(/32 bytes/);
  });
});

describe('evidence that waits', () => {
  it('is bounded in number, size and age, the oldest leaving first', () => {
    const pending = new PendingEvidence({ maxItems: 3, maxBytes: 250, maxAgeMs: 1_000 });
    const [a, b, c, d] = ['a', 'b', 'c', 'd'];
    pending.put(a!, randomBytes(100), 0);
    pending.put(b!, randomBytes(100), 1);
    pending.put(c!, randomBytes(100), 2);
    expect([a, b, c].map((name) => pending.get(name!) !== undefined)).toEqual([false, true, true]);
    pending.put(d!, randomBytes(10), 2_000);
    expect(pending.size).toBe(1);
    pending.delete(d!);
    expect(pending.get(d!)).toBeUndefined();
  });
});

describe('collateral', () => {
  it('is taken only where it was asked for, and asked for anew after a while', () => {
    const wishes = new CollateralWishes();
    expect([wishes.wants('a', 0), wishes.wants('a', 5_000), wishes.wants('a', 11_000)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([wishes.wasAsked('a'), wishes.wasAsked('b')]).toEqual([true, false]);
    wishes.hold('a');
    expect([wishes.wants('a', 99_000), wishes.wasAsked('a')]).toEqual([false, false]);
    wishes.forget();
    expect(wishes.wants('a', 99_000)).toBe(true);
  });

  it('has the id of all of it', () => {
    const bundle = { tcb_info: 'x', qe_identity: 'y' };
    expect(collateralId(bundle)).toMatch(/^[0-9a-f]{64}$/);
    expect(collateralId({ ...bundle, pck_crl: '00' })).not.toBe(collateralId(bundle));
  });
});
