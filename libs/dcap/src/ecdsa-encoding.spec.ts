import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKeyPairSync, sign } from 'node:crypto';
import { derSignature, P256PublicKey, rawSignature } from './ecdsa.js';

const half = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  // Leading zeros and a high first bit are what the encoding is about.
  fc
    .tuple(fc.integer({ min: 0, max: 32 }), fc.uint8Array({ minLength: 32, maxLength: 32 }))
    .map(([zeros, bytes]) => bytes.fill(0, 0, zeros)),
);

describe('derSignature', () => {
  it('is the strict DER of r and s, for every r and s', () => {
    fc.assert(
      fc.property(half, half, (r, s) => {
        const raw = Buffer.concat([r, s]);
        expect(rawSignature(derSignature(raw)).equals(raw)).toBe(true);
      }),
    );
  });

  it('verifies what OpenSSL signed, and nothing else', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = new P256PublicKey(publicKey.export({ type: 'spki', format: 'der' }), 'KEY_INVALID');
    for (let round = 0; round < 300; round++) {
      const data = Buffer.from(`message ${round}`);
      const raw = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(key.verify(data, raw)).toBe(true);
      raw[round % 64]! ^= 1;
      expect(key.verify(data, raw)).toBe(false);
    }
    for (const fill of [0, 0xff]) expect(key.verify(Buffer.from('x'), Buffer.alloc(64, fill))).toBe(false);
  });
});
