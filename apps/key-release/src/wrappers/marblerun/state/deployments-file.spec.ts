import { ConfigurationError } from '#platform';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDeployments } from './deployments-file.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-deployments-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function read(content: unknown, simulation = false) {
  const file = join(dir, 'marblerun.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readDeployments(file, '/var/lib/siegel', simulation);
}
const of = (deployments: Record<string, object>) => ({
  deployments: Object.fromEntries(
    Object.entries(deployments).map(([name, each]) => [name, { tenant: 'acme', ...each }]),
  ),
});

describe('the deployments of MarbleRun', () => {
  it('are strict by default: an operator sets the manifest, marbles have quotes, and the only one answers to any name', () => {
    expect(read(of({ shop: {} }))).toEqual([
      {
        name: 'shop',
        tenant: 'acme',
        hosts: [],
        isDefault: true,
        names: ['localhost'],
        keys: 'P-256',
        simulation: false,
        vaults: [],
        sealDir: '/var/lib/siegel/marblerun/shop',
        sealKey: { kind: 'file', path: '/var/lib/siegel/marblerun/shop.key' },
        firstManifest: 'operator',
        operators: [],
        manifestChecks: 'strict',
        startupManifest: undefined,
        quote: { kind: 'none' },
        recoveryAttemptsPerMinute: 10,
      },
    ]);
  });

  it('may be several by name, with paths relative to the file', () => {
    const [one, two] = read(
      of({
        one: { hosts: ['one.example'], sealDir: 'one', startupManifest: 'm.json', operators: ['o.pem'] },
        two: { hosts: ['two.example'], sealKey: { kind: 'vault', vault: 'prod', objectName: 'seal' } },
      }),
    );
    expect(one).toMatchObject({
      isDefault: false,
      sealDir: join(dir, 'one'),
      sealKey: { path: join(dir, 'one.key') },
      startupManifest: join(dir, 'm.json'),
      operators: [join(dir, 'o.pem')],
    });
    expect(two?.sealKey).toEqual({ kind: 'vault', vault: 'prod', objectName: 'seal' });
  });

  it.each([
    ['nope', /marblerun\.json is not JSON/],
    [{ deployments: {} }, /names no deployment/],
    [of({ 'Not A Name': {} }), /Invalid key/],
    [{ deployments: { a: {} } }, /tenant/],
    [of({ a: { tenant: 'Not A Label' } }), /tenant name/],
    [of({ a: { hostnames: ['x'] } }), /hostnames/],
    [of({ a: { hosts: ['A.example'] } }), /a host name in lower case/],
    [of({ a: { hosts: ['x'] }, b: { hosts: ['x'] } }), /the host "x" belongs to two deployments/],
    [of({ a: { hosts: ['x'] }, b: {} }), /b: no host leads to it/],
    [of({ a: { default: true }, b: { default: true } }), /more than one deployment is the default/],
    [
      of({ a: { hosts: ['x'], sealDir: 's' }, b: { hosts: ['y'], sealDir: 's' } }),
      /two deployments have the folder/,
    ],
    [of({ a: { simulation: true } }), /simulation needs SIEGEL_SIMULATION/],
    [of({ a: { names: ['not a name'] } }), /neither a DNS name nor an IP address/],
    [of({ a: { firstManifest: 'anybody' } }), /firstManifest/],
    [of({ a: { keys: 'P-521' } }), /keys/],
    [of({ a: { quote: { kind: 'exec', command: [] } } }), /command/],
  ])('%j is refused, with the name of the variable', (content, message) => {
    expect(() => read(content)).toThrow(ConfigurationError);
    expect(() => read(content)).toThrow(/SIEGEL_MARBLERUN_FILE/);
    expect(() => read(content)).toThrow(message);
  });

  it('admit marbles without a quote only where the service simulates', () => {
    expect(read(of({ a: { simulation: true } }), true)[0]?.simulation).toBe(true);
  });

  it('must be there', () => {
    expect(() => readDeployments(join(dir, 'missing'), dir, false)).toThrow(/SIEGEL_MARBLERUN_FILE/);
  });
});
