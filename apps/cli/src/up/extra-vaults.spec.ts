import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readExtraVaults } from './extra-vaults.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'extra-vaults-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const read = (content: unknown) => {
  const file = join(folder, 'vaults.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readExtraVaults(file, ['demo']);
};

describe('vaults beside the embedded one', () => {
  it('have paths relative to their file', () => {
    const vaults = read({
      shop: {
        kind: 'azure',
        url: 'https://shop.vault.azure.net',
        caFile: 'ca.pem',
        identity: { tokenFile: 'secrets/token' },
      },
      local: { kind: 'embedded', dir: 'vault', keyFile: '/etc/siegel/vault.key' },
    });
    expect(vaults).toMatchObject({
      shop: {
        caFile: join(folder, 'ca.pem'),
        identity: { kind: 'workload', tokenFile: join(folder, 'secrets', 'token') },
      },
      local: { dir: join(folder, 'vault'), keyFile: '/etc/siegel/vault.key' },
    });
  });

  it.each([
    ['no JSON', '{', /vaults\.json cannot be used/],
    [
      'an unknown setting',
      { shop: { kind: 'azure', url: 'https://shop.vault.azure.net', insecure: true } },
      /shop/,
    ],
    ['a vault over plain HTTP', { shop: { kind: 'azure', url: 'http://shop.vault.azure.net' } }, /shop\.url/],
    ['the name of the embedded one', { demo: { kind: 'embedded', dir: 'vault' } }, /"demo" belongs/],
  ])('are refused with %s', (_, content, message) => {
    expect(() => read(content)).toThrow(message);
  });

  it('are refused where their file is not there', () => {
    expect(() => readExtraVaults(join(folder, 'none.json'), [])).toThrow(/none\.json/);
  });
});
