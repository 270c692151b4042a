import { afterAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../config/environment.js';
import { readTrustFile } from './trust.js';

const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid });
const ed25519 = generateKeyPairSync('ed25519').publicKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const trust = {
  siegelTrust: 1,
  verifiers: [jwk(p256, 'v')],
  emitters: [{ name: 'key-release', jwk: jwk(ed25519, 'e') }],
  manifestSigners: [jwk(p256, 'm')],
  logs: [{ origin: 'siegel.test/default', jwk: jwk(ed25519, 'l') }],
};

describe('readTrustFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-trust-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (content: unknown): string => {
    const path = join(folder, 'trust.json');
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };

  it('imports every key under its id', () => {
    const read = readTrustFile(file(trust));
    expect(read.verifiers.get('v')?.equals(p256)).toBe(true);
    expect(read.emitters.get('e')).toMatchObject({ name: 'key-release' });
    expect(read.manifestSigners.get('m')?.equals(p256)).toBe(true);
    expect(read.logs).toMatchObject([{ origin: 'siegel.test/default', kid: 'l' }]);
    expect(read.verifiers.has('m')).toBe(false);
  });

  it.each<[string, unknown]>([
    ['is not JSON', '{'],
    ['is of another version', { ...trust, siegelTrust: 2 }],
    ['trusts no verifier', { ...trust, verifiers: [] }],
    ['has an unknown member', { ...trust, admins: [] }],
    ['has a key without an id', { ...trust, verifiers: [{ ...jwk(p256, 'v'), kid: undefined }] }],
  ])('refuses a file that %s, and names the variable', (_what, content) => {
    let thrown: unknown;
    try {
      readTrustFile(file(content));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect((thrown as ConfigurationError).problems[0]?.variable).toBe('SIEGEL_TRUST_FILE');
  });

  it('refuses a file that is not there', () => {
    expect(() => readTrustFile(join(folder, 'missing.json'))).toThrow(ConfigurationError);
  });

  it('refuses a point that is on no curve', () => {
    const broken = { ...jwk(p256, 'v'), y: 'A'.repeat(43) };
    expect(() => readTrustFile(file({ ...trust, verifiers: [broken] }))).toThrow(ConfigurationError);
  });
});
