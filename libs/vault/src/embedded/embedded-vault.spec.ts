import { fork } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isVaultError } from '../errors.js';
import { EmbeddedVault } from './embedded-vault.js';

let dir: string;
const opened: EmbeddedVault[] = [];
const open = async (options: { lockWaitMs?: number; keyFile?: string } = {}): Promise<EmbeddedVault> => {
  const vault = await EmbeddedVault.open({ dir, ...options });
  opened.push(vault);
  return vault;
};
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isVaultError(error) ? error.code : String(error)),
  );
const file = (): string => join(dir, 'vault.ndjson');
const edit = (change: (lines: string[]) => string[]): void =>
  writeFileSync(file(), change(readFileSync(file(), 'utf8').split('\n')).join('\n'));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-vault-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((vault) => vault.close()));
  rmSync(dir, { recursive: true });
});

describe('EmbeddedVault at rest', () => {
  it('keeps key and file to the owner, and no value, attribute or tag in the clear', async () => {
    const vault = await open();
    await vault.setSecret('db', 'plaintext-value', {
      tags: { owner: 'plaintext-tag' },
      contentType: 'text/secret',
    });
    expect(statSync(join(dir, 'vault.key')).mode & 0o777).toBe(0o600);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(file(), 'latin1');
    const sealed = JSON.parse(bytes.split('\n')[1] ?? '').sealed as string;
    for (const content of [bytes, Buffer.from(sealed, 'base64').toString('latin1')]) {
      expect(content).not.toMatch(/plaintext|text\/secret/);
    }
  });

  it('survives closing and opening, and gives nothing after closing', async () => {
    const first = await open();
    const { version } = await first.setSecret('db', 'one');
    await first.setSecret('db', 'two');
    await first.close();
    expect(await codeOf(first.getSecret({ objectName: 'db' }))).toBe('VAULT_CLOSED');
    const again = await open();
    expect((await again.getSecret({ objectName: 'db' })).value.toString()).toBe('two');
    expect((await again.getSecret({ objectName: 'db', objectVersion: version! })).value.toString()).toBe(
      'one',
    );
  });

  it('refuses a key file that others can read, of a wrong size, of another vault, or lost', async () => {
    await (await open()).setSecret('db', 'one');
    const key = join(dir, 'vault.key');
    chmodSync(key, 0o640);
    expect(await codeOf(open())).toBe('VAULT_KEY_INVALID');
    chmodSync(key, 0o600);
    const bytes = readFileSync(key);
    writeFileSync(key, bytes.subarray(1));
    expect(await codeOf(open())).toBe('VAULT_KEY_INVALID');
    writeFileSync(key, Buffer.alloc(32, 7));
    expect(await codeOf(open())).toBe('VAULT_KEY_INVALID');
    rmSync(key);
    expect(await codeOf(open())).toBe('VAULT_KEY_INVALID');
    writeFileSync(key, bytes, { mode: 0o600 });
    expect(await codeOf(open())).toBe('no error');
  });
});

describe('EmbeddedVault against tampering', () => {
  const filled = async (): Promise<EmbeddedVault> => {
    const vault = await open();
    await vault.setSecret('low', 'low value');
    await vault.setSecret('high', 'high value');
    return vault;
  };

  it.each<[string, (lines: string[]) => string[], string]>([
    [
      'a flipped ciphertext',
      (lines) => lines.map((line, i) => (i === 1 ? flipSealed(line) : line)),
      'SECRET_TAMPERED',
    ],
    ['a removed record', (lines) => lines.filter((_, i) => i !== 1), 'SECRET_TAMPERED'],
    ['a doubled record', (lines) => lines.toSpliced(1, 0, lines[1] ?? ''), 'SECRET_TAMPERED'],
    ['swapped names', (lines) => lines.map((line) => swapNames(line)), 'SECRET_TAMPERED'],
    [
      'a changed generation',
      (lines) => [lines[0]!.replace('"generation":2', '"generation":9'), ...lines.slice(1)],
      'SECRET_TAMPERED',
    ],
    ['a cut file', (lines) => lines.slice(0, 2), 'VAULT_CORRUPT'],
    [
      'an unknown member',
      (lines) => [lines[0]!, lines[1]!.replace('{', '{"x":1,'), ...lines.slice(2)],
      'SECRET_TAMPERED',
    ],
    ['no JSON', () => ['hello', 'world', ''], 'VAULT_CORRUPT'],
  ])('notices %s', async (_, change, code) => {
    await (await filled()).close();
    edit(change);
    expect(await codeOf(open())).toBe(code);
  });

  it('notices it in a running process, and says so in its health', async () => {
    const vault = await filled();
    edit((lines) => lines.map((line) => swapNames(line)));
    expect(await codeOf(vault.getSecret({ objectName: 'low' }))).toBe('SECRET_TAMPERED');
    expect(await vault.check()).toMatchObject({ ok: false, code: 'SECRET_TAMPERED' });
  });

  it('notices a whole file put back to an older state while it runs', async () => {
    const vault = await filled();
    const old = readFileSync(file());
    await vault.setSecret('low', 'rotated');
    writeFileSync(`${file()}.old`, old);
    renameSync(`${file()}.old`, file());
    expect(await codeOf(vault.getSecret({ objectName: 'low' }))).toBe('SECRET_TAMPERED');
  });

  it('does not take a record of another vault under the same key', async () => {
    await (await filled()).close();
    const record = readFileSync(file(), 'utf8').split('\n')[1]!;
    rmSync(file());
    // The key stays: the fresh vault gets a new identity under the same key.
    const other = await open();
    await other.setSecret('low', 'mine');
    await other.close();
    edit((lines) => [lines[0]!, record, ...lines.slice(2)]);
    expect(await codeOf(open())).toBe('SECRET_TAMPERED');
  });
});

describe('EmbeddedVault between processes', () => {
  it('sees at once what another instance writes', async () => {
    const [service, tool] = [await open(), await open()];
    await service.setSecret('db', 'one');
    await tool.setSecret('db', 'two');
    expect((await service.getSecret({ objectName: 'db' })).value.toString()).toBe('two');
  });

  it('loses none of the writes of several instances at once', async () => {
    const instances = await Promise.all([open(), open(), open()]);
    await Promise.all(
      instances.flatMap((vault, i) =>
        Array.from({ length: 8 }, (_, j) => vault.setSecret(`s-${i}-${j}`, 'x')),
      ),
    );
    const names = new Set<string>();
    for await (const { name } of instances[0]!.listSecrets()) names.add(name);
    expect(names.size).toBe(24);
  });

  it('says when another process keeps the lock, and goes on when that process is killed', async () => {
    const vault = await open({ lockWaitMs: 100 });
    const script = join(dir, 'holder.mjs');
    writeFileSync(
      script,
      `import { DatabaseSync } from 'node:sqlite';
       new DatabaseSync(${JSON.stringify(join(dir, 'vault.lock'))}).exec('BEGIN EXCLUSIVE');
       process.send('held'); setInterval(() => {}, 1000);`,
    );
    const holder = fork(script, { stdio: 'ignore', execArgv: [] });
    try {
      await new Promise((resolve) => holder.once('message', resolve));
      expect(await codeOf(vault.setSecret('db', 'x'))).toBe('VAULT_LOCKED');
    } finally {
      holder.kill('SIGKILL');
      await new Promise((resolve) => holder.once('exit', resolve));
    }
    expect(await codeOf(vault.setSecret('db', 'x'))).toBe('no error');
  });

  it('reads while another process writes', async () => {
    const vault = await open();
    await vault.setSecret('db', 'one');
    const lock = new DatabaseSync(join(dir, 'vault.lock'));
    lock.exec('BEGIN EXCLUSIVE');
    expect((await vault.getSecret({ objectName: 'db' })).value.toString()).toBe('one');
    lock.close();
  });
});

const flipSealed = (line: string): string => {
  const record = JSON.parse(line) as { sealed: string };
  const bytes = Buffer.from(record.sealed, 'base64');
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  return JSON.stringify({ ...record, sealed: bytes.toString('base64') });
};
const swapNames = (line: string): string =>
  line.replace(/"name":"(low|high)"/, (_, name: string) => `"name":"${name === 'low' ? 'high' : 'low'}"`);
