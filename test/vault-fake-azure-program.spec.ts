import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from '@jest/globals';
import { VaultRegistry, VaultsConfig } from '#vault';

const PROGRAM = resolve('dist/test/fake-azure/main.js');
const children: ChildProcess[] = [];
const start = (...args: string[]): ChildProcess => {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
};
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('the fake as a program', () => {
  it('prints settings with which a service reads from it, and ends on SIGTERM', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fake-program-'));
    const child = start('--vault', 'demo', '--secret', 'db=from=the-fake', '--dir', dir, '--json');
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const { vaults, environment } = JSON.parse(line) as {
      vaults: unknown;
      environment: Record<string, string>;
    };
    expect(Object.keys(environment)).toContain('AZURE_FEDERATED_TOKEN_FILE');
    const registry = await VaultRegistry.open(VaultsConfig.parse(vaults), { baseDir: dir });
    expect(await registry.checkAll()).toMatchObject({ demo: { ok: true } });
    expect((await registry.get('demo').getSecret({ objectName: 'db' })).value.toString()).toBe(
      'from=the-fake',
    );
    await registry.close();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    rmSync(dir, { recursive: true });
  });

  it.each([
    ['--vault', 'X'],
    ['--port', '70000'],
    ['--secret', 'novalue'],
    ['--limits', 'some'],
    ['--unknown'],
  ])('refuses %s %s with its usage and status 2', async (...args) => {
    const child = start(...args);
    const output: Buffer[] = [];
    child.stderr!.on('data', (chunk: Buffer) => output.push(chunk));
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(2);
    expect(Buffer.concat(output).toString()).toContain('usage: siegel fake-azure');
  });
});
