import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { isMeasured, readInitData } from './init-data.js';

const TOML =
  'version = "0.1.0"\n# comment\nalgorithm = \'sha256\' # why\n\n[data]\n"x" = "y"\nalgorithm = "sha512"\n';

describe('init-data', () => {
  it('is measured as it is written, by the algorithm that it names at its top', () => {
    const { algorithm, digest } = readInitData(TOML);
    expect(algorithm).toBe('sha256');
    expect(digest).toEqual(hash('sha256', TOML, 'buffer'));
    expect(readInitData(TOML.replaceAll('\n', '\r\n')).algorithm).toBe('sha256');
  });

  it('is compared with a field of any size', () => {
    const data = readInitData(TOML);
    const hex = data.digest.toString('hex');
    expect(isMeasured(data, hex.padEnd(128, '0'))).toBe(true);
    expect(isMeasured(data, hex.padEnd(128, '1'))).toBe(false);
    expect(isMeasured(data, '00'.repeat(64))).toBe(false);
    expect(isMeasured(data, undefined)).toBe(false);
    const long = readInitData(TOML.replace('sha256', 'sha512'));
    expect(isMeasured(long, long.digest.toString('hex').slice(0, 96))).toBe(true);
  });

  it.each([
    ['', /"version"/],
    ['algorithm = "sha256"', /"version"/],
    [TOML.replace('0.1.0', '0.2.0'), /"version"/],
    [TOML.replace('sha256', 'sm3'), /"algorithm"/],
    ['version = "0.1.0"\n[data]\nalgorithm = "sha256"', /"algorithm"/],
    ['version = "0.1.0"\nalgorithm = "sha256"\nalgorithm = "sha512"', /twice/],
    ['version = "0.1.0"\nalgorithm = "sha\\u0032"', /"algorithm"/],
  ])('%j is refused', (toml, message) => {
    expect(() => readInitData(toml)).toThrow(message);
  });
});
