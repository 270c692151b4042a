import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { base64url, compactDecrypt, CompactEncrypt } from 'jose';
import { concatKdf } from './concat-kdf.js';
import { openJwe, sealJwe } from './jwe.js';
import type { KeyKind } from './key-kinds.js';
import { PublicKey } from './public-key.js';

// Thousands of operations on a machine that may be busy.
jest.setTimeout(60_000);

type Pair = { privateKey: KeyObject; publicKey: KeyObject };
const pairs = {} as Record<KeyKind, Pair>;
beforeAll(() => {
  for (const namedCurve of ['P-256', 'P-384', 'P-521'] as const)
    pairs[namedCurve] = generateKeyPairSync('ec', { namedCurve });
  pairs.X25519 = generateKeyPairSync('x25519');
  pairs.Ed25519 = generateKeyPairSync('ed25519');
  pairs.RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
});
const RECEIVING: KeyKind[] = ['P-256', 'P-384', 'P-521', 'X25519', 'RSA'];
const algOf = (kind: KeyKind): string => (kind === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES');

describe('Concat KDF', () => {
  it('gives the key of RFC 7518 appendix C', () => {
    const z = Buffer.from([
      158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128,
      106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
    ]);
    const key = concatKdf(z, 'A128GCM', Buffer.from('Alice'), Buffer.from('Bob'), 128);
    expect(key.toString('base64url')).toBe('VqqN6vgjbSBcIijNcacQGg');
    expect(z.equals(Buffer.alloc(32))).toBe(true);
  });
});

describe('JWE between this library and jose', () => {
  it.each(RECEIVING)('%s: sealed here, opened by jose and here', async (kind) => {
    const { privateKey, publicKey } = pairs[kind];
    const key = PublicKey.fromKeyObject(publicKey);
    const token = sealJwe(Buffer.from('secret'), key, { cty: 'application/json', typ: 'JOSE' });
    const { plaintext, protectedHeader } = await compactDecrypt(token, privateKey, {
      keyManagementAlgorithms: [algOf(kind)],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    expect(Buffer.from(plaintext).toString()).toBe('secret');
    expect(protectedHeader).toMatchObject({
      alg: algOf(kind),
      enc: 'A256GCM',
      kid: key.thumbprint,
      cty: 'application/json',
      typ: 'JOSE',
    });
    const opened = openJwe(token, privateKey);
    expect(opened.plaintext.toString()).toBe('secret');
    expect(opened.header).toEqual(protectedHeader);
  });

  it.each(RECEIVING)('%s: sealed by jose, opened here', async (kind) => {
    const { privateKey, publicKey } = pairs[kind];
    const token = await new CompactEncrypt(Buffer.from('from jose'))
      .setProtectedHeader({ alg: algOf(kind), enc: 'A256GCM' })
      .encrypt(publicKey);
    expect(openJwe(token, privateKey).plaintext.toString()).toBe('from jose');
  });

  it('apu and apv enter the key on both sides', async () => {
    const { privateKey, publicKey } = pairs['P-256'];
    const apu = Buffer.from('Alice');
    const apv = Buffer.from('Bob');
    const ours = sealJwe(Buffer.from('x'), PublicKey.fromKeyObject(publicKey), { apu, apv });
    expect((await compactDecrypt(ours, privateKey)).protectedHeader).toMatchObject({
      apu: 'QWxpY2U',
      apv: 'Qm9i',
    });
    expect(openJwe(ours, privateKey).plaintext.toString()).toBe('x');
    const theirs = await new CompactEncrypt(Buffer.from('y'))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
      .setKeyManagementParameters({ apu, apv })
      .encrypt(publicKey);
    expect(openJwe(theirs, privateKey).plaintext.toString()).toBe('y');
  });

  it('holds for any plaintext, with a JWK as the recipient and any kid', async () => {
    const { privateKey, publicKey } = pairs['P-256'];
    const jwk = PublicKey.fromKeyObject(publicKey).jwk;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.string({ maxLength: 40, unit: 'grapheme' }),
        async (plaintext, kid) => {
          const token = sealJwe(plaintext, jwk, { kid });
          const { plaintext: opened, protectedHeader } = await compactDecrypt(token, privateKey);
          expect(Buffer.from(opened).equals(plaintext)).toBe(true);
          expect(protectedHeader.kid).toBe(kid);
          expect(openJwe(token, privateKey).plaintext.equals(plaintext)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('never seals twice alike', () => {
    const key = PublicKey.fromKeyObject(pairs['P-256'].publicKey);
    const parts = Array.from({ length: 20 }, () => sealJwe(Buffer.alloc(32), key).split('.'));
    for (const index of [0, 2, 3, 4]) expect(new Set(parts.map((part) => part[index])).size).toBe(20);
  });
});

describe('a sealed message that was changed', () => {
  it.each(RECEIVING)('%s: is refused whichever character is changed', (kind) => {
    const { privateKey, publicKey } = pairs[kind];
    const token = sealJwe(Buffer.from('secret'), PublicKey.fromKeyObject(publicKey));
    // Opening with RSA is slow; a prime step still visits every part of the message.
    for (let at = 0; at < token.length; at += kind === 'RSA' ? 7 : 1) {
      for (const bit of [1, 4, 32]) {
        const changed =
          token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ bit) + token.slice(at + 1);
        expect(() => openJwe(changed, privateKey)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^JWE_/) }),
        );
      }
    }
    for (let at = 0; at < token.length; at += 7) {
      expect(() => openJwe(token.slice(0, at), privateKey)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^JWE_/) }),
      );
    }
  });

  it('or sealed to somebody else cannot be opened', () => {
    for (const kind of RECEIVING) {
      const token = sealJwe(Buffer.from('secret'), PublicKey.fromKeyObject(pairs[kind].publicKey));
      const namedCurve = kind === 'RSA' || kind === 'X25519' ? 'P-256' : kind;
      const other: KeyObject =
        kind === 'RSA'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
          : kind === 'X25519'
            ? generateKeyPairSync('x25519').privateKey
            : generateKeyPairSync('ec', { namedCurve }).privateKey;
      expect(() => openJwe(token, other)).toThrow(expect.objectContaining({ code: 'JWE_OPEN_FAILED' }));
    }
  });
});

describe('refusals', () => {
  const withHeader = (token: string, change: Record<string, unknown>): string => {
    const [head = '', ...rest] = token.split('.');
    const header = { ...(JSON.parse(Buffer.from(head, 'base64url').toString()) as object), ...change };
    return [base64url.encode(JSON.stringify(header)), ...rest].join('.');
  };

  it('nothing is sealed to keys that cannot receive, or that are no good', () => {
    const ed = PublicKey.fromKeyObject(pairs.Ed25519.publicKey);
    expect(() => sealJwe(Buffer.of(1), ed)).toThrow(expect.objectContaining({ code: 'KEY_NOT_USABLE' }));
    expect(() => sealJwe(Buffer.of(1), { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' })).toThrow(
      expect.objectContaining({ code: 'JWK_MALFORMED' }),
    );
    expect(() => openJwe('a.b.c.d.e', pairs.Ed25519.publicKey)).toThrow(
      expect.objectContaining({ code: 'JWE_MALFORMED' }),
    );
  });

  it('sizes are bounded on both sides', () => {
    const key = PublicKey.fromKeyObject(pairs['P-256'].publicKey);
    expect(() => sealJwe(Buffer.alloc(11), key, { maxBytes: 10 })).toThrow(
      expect.objectContaining({ code: 'JWE_TOO_LARGE' }),
    );
    const token = sealJwe(Buffer.alloc(20_000), key);
    expect(() => openJwe(token, pairs['P-256'].privateKey, { maxBytes: 100 })).toThrow(
      expect.objectContaining({ code: 'JWE_TOO_LARGE' }),
    );
    expect(openJwe(token, pairs['P-256'].privateKey, { maxBytes: 20_000 }).plaintext).toHaveLength(20_000);
  });

  it('the header does not choose the algorithm', async () => {
    const { privateKey, publicKey } = pairs['P-256'];
    const token = sealJwe(Buffer.from('x'), PublicKey.fromKeyObject(publicKey));
    for (const change of [
      { alg: 'dir' },
      { alg: 'RSA-OAEP-256' },
      { alg: 'ECDH-ES+A256KW' },
      { enc: 'A128GCM' },
      { zip: 'DEF' },
      { crit: ['exp'] },
    ]) {
      expect(() => openJwe(withHeader(token, change), privateKey)).toThrow(
        expect.objectContaining({ code: 'JWE_ALG_REFUSED' }),
      );
    }
    const kw = await new CompactEncrypt(Buffer.from('y'))
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
      .encrypt(publicKey);
    expect(() => openJwe(kw, privateKey)).toThrow(expect.objectContaining({ code: 'JWE_ALG_REFUSED' }));
    expect(() => openJwe(token, pairs.RSA.privateKey)).toThrow(
      expect.objectContaining({ code: 'JWE_ALG_REFUSED' }),
    );
    expect(() => openJwe(token, publicKey)).toThrow(expect.objectContaining({ code: 'KEY_NOT_USABLE' }));
  });

  it('an ephemeral key off the curve, of another curve, private or missing is refused', () => {
    const { privateKey, publicKey } = pairs['P-256'];
    const token = sealJwe(Buffer.from('x'), PublicKey.fromKeyObject(publicKey));
    const good = PublicKey.fromKeyObject(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey).jwk;
    const bad = [
      undefined,
      null,
      {},
      { ...good, y: good.x },
      { ...good, d: good.x },
      PublicKey.fromKeyObject(pairs['P-384'].publicKey).jwk,
    ];
    for (const epk of bad) {
      expect(() => openJwe(withHeader(token, { epk }), privateKey)).toThrow(
        expect.objectContaining({ code: 'JWE_OPEN_FAILED' }),
      );
    }
    for (const apu of [5, 'a b', 'x'.repeat(1025)]) {
      expect(() => openJwe(withHeader(token, { apu }), privateKey)).toThrow(
        expect.objectContaining({ code: 'JWE_MALFORMED' }),
      );
    }
  });
});
