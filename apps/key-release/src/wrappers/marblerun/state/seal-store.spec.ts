import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '#platform';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from './authority.js';
import type { CoordinatorData } from './coordinator-data.js';
import { SealFolderError } from './seal-folder.js';
import {
  keyIdOf,
  newSealingKey,
  openState,
  SealError,
  sealState,
  unwrapKeys,
  wrapKeys,
} from './sealed-form.js';
import { SealFolder } from './seal-folder.js';
import { SealStore } from './seal-store.js';

let dir: string;
const open: SealStore[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-seal-'));
});
afterEach(() => {
  for (const store of open.splice(0)) store.close();
  rmSync(dir, { recursive: true, force: true });
});

const options = (name = 'one') => ({
  name,
  sealDir: join(dir, 'seal'),
  sealKey: { kind: 'file' as const, path: join(dir, 'wrapping.key') },
});
const NO_VAULTS = { get: () => Promise.reject(new Error('no vault')) as never };
async function store(name?: string): Promise<SealStore> {
  const made = await SealStore.open(options(name), NO_VAULTS);
  open.push(made);
  return made;
}
function close(made: SealStore): void {
  open.splice(open.indexOf(made), 1);
  made.close();
}
const path = (name: string): string => join(dir, 'seal', name);
const SECRET = Buffer.from('a value that must not stand anywhere in the clear');

async function data(): Promise<CoordinatorData> {
  const bytes = { private: SECRET, public: SECRET, certificate: Buffer.alloc(0) };
  return {
    revision: 7,
    authority: await createAuthority('P-256', ['localhost', '10.0.0.1'], new Date()),
    rootSecret: randomBytes(32),
    manifest: undefined,
    securityVersions: new Map([['app', 4]]),
    stored: new Map([['secret', bytes]]),
    previous: undefined,
    pending: undefined,
    log: ['{"update":"x"}'],
    activations: new Map([['web', 3]]),
    counters: new Map([['["web","u","c"]', 2n ** 64n - 1n]]),
  };
}

describe('the sealed state', () => {
  it('is there again after the process, whole', async () => {
    const saved = await data();
    const first = await store();
    expect(await first.load()).toEqual({ kind: 'nothing' });
    await first.save(saved);
    close(first);
    const loaded = await (await store()).load();
    expect(loaded.kind).toBe('state');
    const { authority, ...rest } = (loaded as { data: CoordinatorData }).data;
    const { authority: before, ...expected } = saved;
    expect(rest).toEqual(expected);
    expect(authority.root.pem).toBe(before.root.pem);
    expect(authority.intermediate.privateKey.equals(before.intermediate.privateKey)).toBe(true);
    expect(authority.marbleRoot.certificate).toEqual(before.marbleRoot.certificate);
  });

  it('shows nothing of itself, and nobody else may read it', async () => {
    const made = await store();
    await made.save(await data());
    for (const name of ['sealed_data', 'sealed_key']) {
      const bytes = readFileSync(path(name));
      expect(statSync(path(name)).mode & 0o777).toBe(0o600);
      expect(bytes.includes(SECRET.subarray(0, 12))).toBe(false);
      expect(bytes.includes(SECRET.toString('base64').slice(0, 16))).toBe(false);
    }
    expect(statSync(join(dir, 'wrapping.key')).mode & 0o777).toBe(0o600);
  });

  it('without sealed_key waits for its recovery, and opens with the recovered key', async () => {
    const saved = await data();
    const key = newSealingKey();
    const meta = { v: 1, keyId: keyIdOf(key), scheme: 'direct', threshold: 1, shares: {}, keys: {} } as const;
    const first = await store();
    await first.save(saved);
    await first.saveUnder(saved, key, meta);
    close(first);
    unlinkSync(path('sealed_key'));
    const second = await store();
    expect(await second.load()).toEqual({ kind: 'sealed', meta, why: 'there is no sealed_key' });
    await expect(second.recover(randomBytes(32), () => Promise.resolve())).rejects.toThrow(SealError);
    await expect(second.recover(key, () => Promise.reject(new Error('no log')))).rejects.toThrow('no log');
    close(second);
    const third = await store();
    expect((await third.load()).kind).toBe('sealed');
    const recovered = await third.recover(key, ({ revision }) => Promise.resolve(expect(revision).toBe(7)));
    expect(recovered.rootSecret).toEqual(saved.rootSecret);
    close(third);
    expect((await (await store()).load()).kind).toBe('state');
  });

  it('survives an end between its two files, whichever it was', async () => {
    const saved = await data();
    const first = await store();
    await first.save(saved);
    const before = { data: readFileSync(path('sealed_data')), key: readFileSync(path('sealed_key')) };
    const key = newSealingKey();
    const meta = { v: 1, keyId: keyIdOf(key), scheme: 'none', threshold: 0, shares: {}, keys: {} } as const;
    await first.saveUnder({ ...saved, revision: 8 }, key, meta);
    close(first);
    const wrapping = Buffer.from(readFileSync(join(dir, 'wrapping.key'), 'utf8').trim(), 'base64');
    const both = wrapKeys(wrapping, 'one', [key, unwrapKeys(wrapping, 'one', before.key)[0]!]);
    for (const [state, revision] of [
      [before.data, 7],
      [readFileSync(path('sealed_data')), 8],
    ] as const) {
      writeFileSync(path('sealed_key'), both);
      writeFileSync(path('sealed_data'), state);
      const again = await store();
      expect(await again.load()).toMatchObject({ kind: 'state', data: { revision } });
      close(again);
    }
  });

  it.each([
    ['sealed_data', 20],
    ['sealed_data', -1],
    ['sealed_key', -1],
    ['sealed_key', 3],
  ])('is not believed with a changed byte in %s (at %d)', async (name, at) => {
    const first = await store();
    await first.save(await data());
    close(first);
    const bytes = readFileSync(path(name));
    const i = at < 0 ? bytes.length + at : at;
    bytes[i] = bytes[i]! ^ 1;
    writeFileSync(path(name), bytes);
    expect((await (await store()).load()).kind).toBe('sealed');
  });

  it('of one deployment is not that of another, nor of another wrapping key', async () => {
    const first = await store();
    await first.save(await data());
    close(first);
    const other = await store('other');
    expect((await other.load()).kind).toBe('sealed');
    close(other);
    writeFileSync(join(dir, 'wrapping.key'), randomBytes(32).toString('base64'));
    expect((await (await store()).load()).kind).toBe('sealed');
  });

  it('that is given up is set aside, not destroyed', async () => {
    const first = await store();
    await first.save(await data());
    const before = readFileSync(path('sealed_data'));
    await first.setAside(new Date('2026-11-23T12:00:00.000Z'));
    expect(readFileSync(path('sealed_data.abandoned-2026-11-23T120000000Z'))).toEqual(before);
    expect(await first.load()).toEqual({ kind: 'nothing' });
  });

  it('belongs to one process at a time', async () => {
    await store();
    await expect(SealFolder.open(path(''), 50)).rejects.toThrow(SealFolderError);
  });

  it('needs a wrapping key that is one', async () => {
    writeFileSync(join(dir, 'wrapping.key'), 'short', { mode: 0o600 });
    await expect(SealStore.open(options(), NO_VAULTS)).rejects.toThrow(ConfigurationError);
    writeFileSync(join(dir, 'wrapping.key'), randomBytes(32).toString('base64'));
    const vaults = {
      get: () => ({ getSecret: () => Promise.resolve({ value: Buffer.from('bm8=') }) }),
    } as never;
    const fromVault = { ...options(), sealKey: { kind: 'vault' as const, vault: 'v', objectName: 'o' } };
    await expect(SealStore.open(fromVault, vaults)).rejects.toThrow(/base64 of 32 bytes/);
  });
});

describe('a wrapping key in a vault', () => {
  it('opens the state wherever it has moved to', async () => {
    const key = randomBytes(32).toString('base64');
    const vaults = {
      get: () => ({ getSecret: () => Promise.resolve({ value: Buffer.from(key) }) }),
    } as never;
    const fromVault = { ...options(), sealKey: { kind: 'vault' as const, vault: 'v', objectName: 'o' } };
    const first = await SealStore.open(fromVault, vaults);
    await first.save(await data());
    first.close();
    renameSync(join(dir, 'seal'), join(dir, 'moved'));
    const second = await SealStore.open({ ...fromVault, sealDir: join(dir, 'moved') }, vaults);
    open.push(second);
    expect((await second.load()).kind).toBe('state');
  });
});

describe('the form of a seal', () => {
  it('has the meta of upstream in front, which the seal covers', () => {
    const key = newSealingKey();
    const meta = { v: 1, keyId: keyIdOf(key), scheme: 'none', threshold: 0, shares: {}, keys: {} } as const;
    const sealed = sealState(key, meta, Buffer.from('state'));
    const length = sealed.readUInt32LE(0);
    expect(JSON.parse(sealed.subarray(4, 4 + length).toString())).toEqual(meta);
    expect(openState(key, sealed).state.toString()).toBe('state');
    const changed = Buffer.from(
      sealed.toString('latin1').replace('"threshold":0', '"threshold":1'),
      'latin1',
    );
    expect(() => openState(key, changed)).toThrow(SealError);
    expect(() => openState(newSealingKey(), sealed)).toThrow(SealError);
    for (const cut of [0, 3, 4 + length, sealed.length - 1])
      expect(() => openState(key, sealed.subarray(0, cut))).toThrow(SealError);
  });
});
