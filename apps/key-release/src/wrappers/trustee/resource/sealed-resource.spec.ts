import { describe, expect, it } from '@jest/globals';
import { flattenedDecrypt, type FlattenedJWE } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { TeeKey } from '../attest/tee-key.js';
import type { ProtocolVersion } from '../protocol/versions.js';
import { sealResource } from './sealed-resource.js';

const PLAIN = Buffer.from('hello-secret');
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keyOf = (pair: ReturnType<typeof ec>, alg: string, version: ProtocolVersion = '0.4.0') =>
  TeeKey.read({ ...pair.publicKey.export({ format: 'jwk' }), alg }, version);
const refusal = (jwk: unknown, version: ProtocolVersion = '0.4.0') => {
  try {
    return TeeKey.read(jwk, version);
  } catch (error) {
    return error;
  }
};

describe('a sealed resource', () => {
  it.each([
    ['P-256', ec('P-256'), 'ECDH-ES+A256KW'],
    ['P-521', ec('P-521'), 'ECDH-ES+A256KW'],
    ['RSA', rsa, 'RSA-OAEP-256'],
  ])('for %s is opened by another library', async (_name, pair, alg) => {
    const jwe = JSON.parse(await sealResource(PLAIN, keyOf(pair, alg), '0.4.0')) as FlattenedJWE;
    const { plaintext, protectedHeader } = await flattenedDecrypt(jwe, pair.privateKey);
    expect(Buffer.from(plaintext)).toEqual(PLAIN);
    expect(protectedHeader).toMatchObject({ alg, enc: 'A256GCM' });
  });

  it('has its members and those of its header in the order in which the client writes them again', async () => {
    const text = await sealResource(PLAIN, keyOf(ec('P-256'), 'ECDH-ES+A256KW'), '0.2.0');
    const jwe = JSON.parse(text) as FlattenedJWE;
    expect(Object.keys(jwe)).toEqual(['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag']);
    expect(Buffer.from(jwe.protected!, 'base64url').toString()).toMatch(
      /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC","x":"[\w-]{43}","y":"[\w-]{43}"\}\}$/,
    );
    expect(Buffer.from(jwe.encrypted_key!, 'base64url')).toHaveLength(40);
  });

  it('is another each time', async () => {
    const key = keyOf(ec('P-256'), 'ECDH-ES+A256KW');
    const sealed = await Promise.all(Array.from({ length: 20 }, () => sealResource(PLAIN, key, '0.4.0')));
    for (const member of ['protected', 'encrypted_key', 'iv', 'ciphertext'])
      expect(new Set(sealed.map((text) => (JSON.parse(text) as Record<string, string>)[member])).size).toBe(
        20,
      );
  });

  it('by protocol 0.1.1 has a plain header and its tag behind the ciphertext', async () => {
    const text = await sealResource(PLAIN, keyOf(rsa, 'RSA1_5', '0.1.1'), '0.1.1');
    const jwe = JSON.parse(text) as FlattenedJWE;
    expect(jwe.protected).toBe('{"alg":"RSA1_5","enc":"A256GCM"}');
    expect(jwe.tag).toBe('');
    expect(Buffer.from(jwe.ciphertext, 'base64url')).toHaveLength(PLAIN.length + 16);
  });

  it('of nothing, and of much', async () => {
    const pair = ec('P-256');
    for (const plain of [Buffer.alloc(0), Buffer.alloc(25_000, 7)]) {
      const jwe = JSON.parse(
        await sealResource(plain, keyOf(pair, 'ECDH-ES+A256KW'), '0.4.0'),
      ) as FlattenedJWE;
      expect(Buffer.from((await flattenedDecrypt(jwe, pair.privateKey)).plaintext)).toEqual(plain);
    }
  });
});

describe('a key to seal to', () => {
  const p256 = ec('P-256').publicKey.export({ format: 'jwk' });
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });

  it.each<readonly [string, unknown, ProtocolVersion, string]>([
    ['of another algorithm', { ...p256, alg: 'ECDH-ES' }, '0.4.0', 'KEY_ALGORITHM'],
    ['on a curve, for 0.1.1', { ...p256, alg: 'ECDH-ES+A256KW' }, '0.1.1', 'KEY_ALGORITHM'],
    [
      'for OAEP, for 0.1.1',
      { ...rsa.publicKey.export({ format: 'jwk' }), alg: 'RSA-OAEP-256' },
      '0.1.1',
      'KEY_ALGORITHM',
    ],
    ['of 1,024 bits', { ...weak, alg: 'RSA-OAEP-256' }, '0.4.0', 'KEY_WEAK'],
    ['beside its curve', { ...p256, y: p256.x, alg: 'ECDH-ES+A256KW' }, '0.4.0', 'KEY_NOT_ON_CURVE'],
    [
      'on P-384',
      { ...ec('P-384').publicKey.export({ format: 'jwk' }), alg: 'ECDH-ES+A256KW' },
      '0.4.0',
      'KEY_UNSUPPORTED',
    ],
    ['that is none', null, '0.4.0', 'KEY_UNSUPPORTED'],
    [
      'of ML-KEM out of range',
      { kty: 'AKP', alg: 'ML-KEM-768+A192KW', pub: Buffer.alloc(1184, 255).toString('base64url') },
      '0.4.0',
      'KEY_MALFORMED',
    ],
  ])('%s is refused', (_what, jwk, version, code) => {
    expect(refusal(jwk, version)).toMatchObject({ code: 'PUBLIC_KEY_INVALID', reason: { code } });
  });
});
