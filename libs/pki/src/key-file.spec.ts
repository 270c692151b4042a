import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalSigner } from './signer.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'siegel-pki-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('key files', () => {
  it('are created with mode 0600 and nothing left beside them, and read back as the same key', async () => {
    for (const alg of ['ES256', 'EdDSA'] as const) {
      const path = join(dir, `${alg}.pem`);
      const created = await LocalSigner.createFile(path, alg);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      const read = await LocalSigner.fromFile(path);
      expect(read.kid).toBe(created.kid);
      expect(read.alg).toBe(alg);
    }
    expect((await readdir(dir)).sort()).toEqual(['ES256.pem', 'EdDSA.pem']);
  });

  it('are never overwritten', async () => {
    const path = join(dir, 'key.pem');
    await LocalSigner.createFile(path);
    const before = await readFile(path, 'utf8');
    await expect(LocalSigner.createFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_EXISTS' });
    expect(await readFile(path, 'utf8')).toBe(before);
    expect(await readdir(dir)).toEqual(['key.pem']);
  });

  it('created by many at once are one key for all', async () => {
    const path = join(dir, 'key.pem');
    const signers = await Promise.all(Array.from({ length: 20 }, () => LocalSigner.openOrCreateFile(path)));
    expect(new Set(signers.map(({ kid }) => kid)).size).toBe(1);
    expect(await readdir(dir)).toEqual(['key.pem']);
  });

  it.each([0o640, 0o604, 0o620, 0o644, 0o610])('with mode %o are refused', async (mode) => {
    const path = join(dir, 'key.pem');
    await LocalSigner.createFile(path);
    await chmod(path, mode);
    await expect(LocalSigner.fromFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
    // Neither does opening "or creating" get around it.
    await expect(LocalSigner.openOrCreateFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
  });

  it('that are missing, no files, not one PKCS#8 key, or of another kind are refused by their own codes', async () => {
    const path = join(dir, 'key.pem');
    await expect(LocalSigner.fromFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_NOT_FOUND' });
    await mkdir(join(dir, 'folder'), { mode: 0o700 });
    await expect(LocalSigner.fromFile(join(dir, 'folder'))).rejects.toMatchObject({
      code: 'KEY_FILE_INVALID',
    });
    await expect(LocalSigner.createFile(join(dir, 'none', 'key.pem'))).rejects.toMatchObject({
      code: 'KEY_FILE_IO',
    });
    const good = LocalSigner.generate().toPem();
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    const sec1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'sec1',
      format: 'pem',
    });
    const bad = [
      '',
      'key',
      good + good,
      good.slice(0, 60),
      good.replace(/[A-Za-z0-9]{4}\n/, '!!!!\n'),
      good.replace(/^.{20}$/m, 'AAAAAAAAAAAAAAAAAAAA').replace('MIG', 'MII'),
      p384.export({ type: 'pkcs8', format: 'pem' }).toString(),
      sec1.toString(),
      'x'.repeat(70_000),
    ];
    for (const content of bad) {
      await writeFile(path, content, { mode: 0o600 });
      await expect(LocalSigner.fromFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' });
      await rm(path);
    }
  });
});
