import { afterEach, describe, expect, it } from '@jest/globals';
import { createCipheriv, hash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { collateralId, CollateralWishes } from './collateral-wishes.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { readEvidenceKeys } from './evidence-key-file.js';
import { evidenceKeys } from './evidence-keys.js';
import { PendingEvidence } from './pending-evidence.js';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
const temporary = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-evidence-'));
  folders.push(folder);
  return folder;
};
const KEY = Buffer.alloc(32, 7);
const open = (path: string, ...keys: Buffer[]) =>
  new EvidenceArchive(
    new DatabaseSync(path),
    new EvidenceCipher(evidenceKeys(keys.length === 0 ? [KEY] : keys)),
    { maxAgeMs: 1e12, maxBytes: 1_000_000 },
  );

describe('the embedded archive', () => {
  it('shows nothing of it to whoever has the file and not the key', () => {
    const path = join(temporary(), 'evidence.db');
    const archive = open(path);
    const bytes = Buffer.from('a quote that names a machine'.repeat(20));
    archive.commit([{ sha256: hash('sha256', bytes), bytes, collateral: undefined }], 1, 1_000);
    archive.close();
    expect(readFileSync(path).includes('names a machine')).toBe(false);
  });

  it('reads what earlier versions kept, which knew one key and did not note it down', () => {
    const path = join(temporary(), 'evidence.db');
    const [one, two] = [randomBytes(200), randomBytes(200)];
    const database = new DatabaseSync(path);
    database.exec(`CREATE TABLE evidence (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, stored INTEGER NOT NULL,
      size INTEGER NOT NULL, collateral BLOB, sealed BLOB NOT NULL) STRICT`);
    const insert = database.prepare(
      'INSERT INTO evidence (sha256, stored, size, sealed) VALUES (?, 1000, 200, ?)',
    );
    for (const [bytes, key] of [
      [one, KEY],
      [two, Buffer.alloc(32, 9)],
    ] as const) {
      const digest = hash('sha256', bytes, 'buffer');
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(digest);
      insert.run(digest, Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]));
    }
    database.close();
    const archive = open(path, Buffer.alloc(32, 8), KEY);
    expect(archive.read(hash('sha256', one), 2_000)).toEqual(one);
    expect(() => archive.read(hash('sha256', two), 2_000)).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_DAMAGED' }),
    );
    archive.close();
  });
});

describe('the key file', () => {
  const lines = (...keys: Buffer[]) => keys.map((key) => `${key.toString('base64')}\n`).join('');

  it('is made once where it may be, and must stay private and whole', () => {
    const path = join(temporary(), 'evidence.key');
    expect(() => readEvidenceKeys(path, false)).toThrow(/SIEGEL_AUDIT_EVIDENCE_KEY_FILE/);
    const { current } = readEvidenceKeys(path, true);
    expect(readEvidenceKeys(path, false).current).toEqual(current);
    chmodSync(path, 0o640);
    expect(() => readEvidenceKeys(path, true)).toThrow(/readable by others/);
  });

  it('holds the present key before the former ones', () => {
    const path = join(temporary(), 'evidence.key');
    const [present, former] = [randomBytes(32), randomBytes(32)];
    writeFileSync(path, lines(present, former), { mode: 0o600 });
    const { current, all } = readEvidenceKeys(path, false);
    expect(current.key).toEqual(present);
    expect([...all.values()].map(({ key }) => key)).toEqual([present, former]);
    expect(current.id).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    ['a short key', 'AAAA\n'],
    ['nothing', ''],
    ['one key twice', lines(KEY, KEY)],
    ['another line', `${lines(KEY)}# former\n`],
    ['too many keys', lines(...Array.from({ length: 17 }, (_, i) => Buffer.alloc(32, i)))],
    ['too much', 'A'.repeat(5_000)],
  ])('is refused with %s', (_, content) => {
    const path = join(temporary(), 'evidence.key');
    writeFileSync(path, content, { mode: 0o600 });
    expect(() => readEvidenceKeys(path, true)).toThrow(/SIEGEL_AUDIT_EVIDENCE_KEY_FILE/);
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
