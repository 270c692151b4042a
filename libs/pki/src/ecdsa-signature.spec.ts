import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { ecdsaDerToRaw, ecdsaRawToDer } from './ecdsa-signature.js';

const raw = (size: number): fc.Arbitrary<Buffer> =>
  fc
    .tuple(fc.nat(size), fc.nat(size), fc.uint8Array({ minLength: 2 * size, maxLength: 2 * size }))
    .map(([zerosR, zerosS, bytes]) => {
      const out = Buffer.from(bytes);
      out.fill(0, 0, Math.min(zerosR, size - 1));
      out.fill(0, size, size + Math.min(zerosS, size - 1));
      return out;
    });

describe('ECDSA signature spellings', () => {
  it.each([32, 48, 66])('go from r‖s to DER and back for %i octets, with any leading zeros', (size) => {
    fc.assert(
      fc.property(raw(size), (bytes) => {
        expect(ecdsaDerToRaw(ecdsaRawToDer(bytes), size)).toEqual(bytes);
      }),
    );
  });

  it.each(['P-256', 'P-384', 'P-521'])('agree with OpenSSL for %s in both directions', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const size = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[namedCurve] ?? 0;
    const data = Buffer.from('signed');
    for (let round = 0; round < 20; round += 1) {
      const der = sign('sha256', data, privateKey);
      const fixed = ecdsaDerToRaw(der, size);
      expect(fixed).toBeDefined();
      expect(
        verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, fixed ?? Buffer.alloc(0)),
      ).toBe(true);
      expect(ecdsaRawToDer(fixed ?? Buffer.alloc(0))).toEqual(der);
    }
  });

  it('refuses what is not exactly one minimal ECDSA-Sig-Value', () => {
    const der = ecdsaRawToDer(Buffer.alloc(64, 0x81));
    expect(ecdsaDerToRaw(der, 32)).toBeDefined();
    expect(ecdsaDerToRaw(Buffer.concat([der, Buffer.of(0)]), 32)).toBeUndefined();
    for (let length = 0; length < der.length; length += 1) {
      expect(ecdsaDerToRaw(der.subarray(0, length), 32)).toBeUndefined();
    }
    expect(ecdsaDerToRaw(der, 31)).toBeUndefined();
    for (const bad of [
      '3006020100020100ff',
      '30060201ff020101',
      '300702020001020101',
      '308106020101020101',
      '3003020101',
      '3080020101020101',
    ]) {
      expect(ecdsaDerToRaw(Buffer.from(bad, 'hex'), 32)).toBeUndefined();
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void ecdsaDerToRaw(bytes, 32)));
  });
});
