import { ConfigurationError } from '#platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyReleaseEnvironment } from '../../environment.js';
import { readSealingKey, readSettings } from './settings-file.js';

const KEY = Buffer.alloc(32, 7).toString('base64');

describe('settings', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-scone-settings-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const of = (variable: string, content: string | undefined): KeyReleaseEnvironment => {
    const file = join(folder, 'file');
    if (content !== undefined) writeFileSync(file, content);
    return (content === undefined ? {} : { [variable]: file }) as unknown as KeyReleaseEnvironment;
  };

  it('are read', () => {
    const text = JSON.stringify({ tenants: { default: { creators: 'ANY' } } });
    expect(readSettings(of('SIEGEL_SCONE_FILE', text)).get('default')).toEqual({
      creators: 'ANY',
      keyHashes: {},
      vaults: {},
      federation: [],
    });
    expect(readSealingKey(of('SIEGEL_SCONE_KEY_FILE', `${KEY}\n`))).toEqual(Buffer.alloc(32, 7));
  });

  it('let no session be somebody in Azure, but where they say so', () => {
    const of1 = (tenant: object) =>
      readSettings(of('SIEGEL_SCONE_FILE', JSON.stringify({ tenants: { a: tenant } }))).get('a')?.azure;
    expect(of1({ creators: [] })).toBeUndefined();
    expect(of1({ creators: [], azure: {} })).toEqual({ timeoutSeconds: 10, vaultHosts: {} });
  });

  it.each([
    ['SIEGEL_SCONE_FILE', undefined],
    ['SIEGEL_SCONE_FILE', '{'],
    ['SIEGEL_SCONE_FILE', '{"tenants":{"a":{}}}'],
    ['SIEGEL_SCONE_FILE', '{"tenants":{"a":{"creators":["ab"]}}}'],
    ['SIEGEL_SCONE_FILE', '{"tenants":{"a":{"creators":[],"colour":1}}}'],
    [
      'SIEGEL_SCONE_FILE',
      '{"tenants":{"a":{"creators":[],"federation":[{"session":"s","service":"t","authority":"x"}]}}}',
    ],
    ['SIEGEL_SCONE_FILE', '{"tenants":{"a":{"creators":[],"azure":{"authorityHost":"http://e.example"}}}}'],
    [
      'SIEGEL_SCONE_FILE',
      '{"tenants":{"a":{"creators":[],"azure":{"vaultHosts":{"https://v.example":{}}}}}}',
    ],
    ['SIEGEL_SCONE_FILE', '{"tenants":{"a":{"creators":[],"azure":{"caFile":"none.pem"}}}}'],
    ['SIEGEL_SCONE_KEY_FILE', undefined],
    ['SIEGEL_SCONE_KEY_FILE', 'c2hvcnQ='],
    ['SIEGEL_SCONE_KEY_FILE', KEY.slice(0, -1)],
  ])('%s is named where it is wrong: %s', (variable, content) => {
    const read = variable === 'SIEGEL_SCONE_FILE' ? readSettings : readSealingKey;
    expect(() => read(of(variable, content))).toThrow(ConfigurationError);
    expect(() => read(of(variable, content))).toThrow(variable);
  });
});
