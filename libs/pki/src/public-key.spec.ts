import { beforeAll, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { jwkToSpki } from './jwk.js';
import type { KeyKind } from './key-kinds.js';
import { CURVES } from './key-kinds.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return 'accepted';
}

const accepted = {} as Record<KeyKind, KeyObject>;
beforeAll(() => {
  for (const namedCurve of ['P-256', 'P-384', 'P-521'] as const) {
    accepted[namedCurve] = generateKeyPairSync('ec', { namedCurve }).publicKey;
  }
  accepted.Ed25519 = generateKeyPairSync('ed25519').publicKey;
  accepted.X25519 = generateKeyPairSync('x25519').publicKey;
  accepted.RSA = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
});
const KINDS: KeyKind[] = ['P-256', 'P-384', 'P-521', 'Ed25519', 'X25519', 'RSA'];

describe('accepted public keys', () => {
  it.each(KINDS)('%s: SPKI to JWK and back, byte for byte, as OpenSSL and jose have it', async (kind) => {
    const spki = spkiOf(accepted[kind]);
    const key = PublicKey.fromSpki(spki);
    expect(key.kind).toBe(kind);
    expect(key.spki).toEqual(spki);
    expect(key.jwk).toEqual(accepted[kind].export({ format: 'jwk' }));
    expect(jwkToSpki(accepted[kind].export({ format: 'jwk' }))).toEqual(spki);
    expect(PublicKey.fromJwk(key.jwk).spki).toEqual(spki);
    expect(key.thumbprint).toBe(await calculateJwkThumbprint(key.jwk, 'sha256'));
  });

  it('converts every P-256 key byte-exactly', () => {
    for (let round = 0; round < 50; round += 1) {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      expect(PublicKey.fromJwk(publicKey.export({ format: 'jwk' })).spki).toEqual(spkiOf(publicKey));
    }
  });

  it('computes the thumbprint of the example in RFC 7638 §3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' };
    expect(PublicKey.fromJwk(jwk).thumbprint).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  it('takes a copy of the bytes it was given', () => {
    const bytes = Buffer.from(spkiOf(accepted['P-256']));
    const key = PublicKey.fromSpki(bytes);
    bytes.fill(0);
    expect(PublicKey.fromSpki(key.spki).thumbprint).toBe(key.thumbprint);
  });
});

describe('refused public keys', () => {
  it.each([
    ['P-224', () => generateKeyPairSync('ec', { namedCurve: 'P-224' }).publicKey, 'KEY_UNSUPPORTED'],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey, 'KEY_UNSUPPORTED'],
    ['Ed448', () => generateKeyPairSync('ed448').publicKey, 'KEY_UNSUPPORTED'],
    ['X448', () => generateKeyPairSync('x448').publicKey, 'KEY_UNSUPPORTED'],
    ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, 'KEY_UNSUPPORTED'],
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'KEY_WEAK'],
    [
      'RSA with e = 3',
      () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey,
      'KEY_WEAK',
    ],
  ])('%s', (_name, make, code) => {
    expect(codeOf(() => PublicKey.fromKeyObject(make()))).toBe(code);
  });

  it('RSA beyond 4096 bits, by size alone', () => {
    const n = Buffer.alloc(1024, 0xff).toString('base64url');
    expect(codeOf(() => PublicKey.fromJwk({ kty: 'RSA', n, e: 'AQAB' }))).toBe('KEY_MALFORMED');
    const five = Buffer.alloc(520, 0xff).toString('base64url');
    expect(codeOf(() => PublicKey.fromJwk({ kty: 'RSA', n: five, e: 'AQAB' }))).toBe('KEY_UNSUPPORTED');
  });

  it('an even RSA modulus', () => {
    const n = Buffer.alloc(256, 0xfe).toString('base64url');
    expect(codeOf(() => PublicKey.fromJwk({ kty: 'RSA', n, e: 'AQAB' }))).toBe('KEY_WEAK');
  });

  it.each(['P-256', 'P-384', 'P-521'] as const)('a point off %s, in SPKI and in JWK', (kind) => {
    const bad = Buffer.from(spkiOf(accepted[kind]));
    bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
    expect(codeOf(() => PublicKey.fromSpki(bad))).toBe('KEY_NOT_ON_CURVE');
    const { fieldBytes, prefix } = CURVES[kind];
    const zero = Buffer.concat([prefix, Buffer.of(4), Buffer.alloc(2 * fieldBytes)]);
    expect(codeOf(() => PublicKey.fromSpki(zero))).toBe('KEY_NOT_ON_CURVE');
    const p = Buffer.concat([prefix, Buffer.of(4), Buffer.alloc(2 * fieldBytes, 0xff)]);
    expect(codeOf(() => PublicKey.fromSpki(p))).toBe('KEY_NOT_ON_CURVE');
  });

  it('compressed and hybrid points and explicit curve parameters', () => {
    const spki = spkiOf(accepted['P-256']);
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2 + ((spki.at(-1) ?? 0) & 1)),
      spki.subarray(27, 59),
    ]);
    expect(createPublicKey({ key: compressed, type: 'spki', format: 'der' }).asymmetricKeyType).toBe('ec');
    expect(codeOf(() => PublicKey.fromSpki(compressed))).toBe('KEY_NOT_CANONICAL');
    const hybrid = Buffer.from(spki);
    hybrid[26] = 6 + ((spki.at(-1) ?? 0) & 1);
    expect(codeOf(() => PublicKey.fromSpki(hybrid))).toBe('KEY_NOT_CANONICAL');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
    expect(['KEY_NOT_CANONICAL', 'KEY_UNSUPPORTED']).toContain(
      codeOf(() => PublicKey.fromSpki(spkiOf(publicKey))),
    );
  });

  it('Edwards and Montgomery points of small order, unreduced, or on no curve', () => {
    const ed = (hex: string): string =>
      codeOf(() => PublicKey.fromSpki(Buffer.concat([CURVES.Ed25519.prefix, Buffer.from(hex, 'hex')])));
    const x = (hex: string): string =>
      codeOf(() => PublicKey.fromSpki(Buffer.concat([CURVES.X25519.prefix, Buffer.from(hex, 'hex')])));
    const zeros = '00'.repeat(32);
    const one = `01${'00'.repeat(31)}`;
    const minusOne = `ec${'ff'.repeat(30)}7f`;
    const p = `ed${'ff'.repeat(30)}7f`;
    const edOrderEight = [
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    ];
    for (const small of [zeros, one, minusOne, ...edOrderEight]) expect(ed(small)).toBe('KEY_WEAK');
    expect(ed(p)).toBe('KEY_NOT_CANONICAL');
    // No point of the curve has y = 2.
    expect(ed(`02${'00'.repeat(31)}`)).toBe('KEY_NOT_ON_CURVE');
    const xOrderEight = [
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    ];
    for (const small of [zeros, one, minusOne, ...xOrderEight]) expect(x(small)).toBe('KEY_WEAK');
    for (const unreduced of [p, 'ff'.repeat(32)]) expect(x(unreduced)).toBe('KEY_NOT_CANONICAL');
  });

  it('anything appended, missing, or not minimal', () => {
    for (const kind of KINDS) {
      const spki = spkiOf(accepted[kind]);
      expect(['KEY_MALFORMED', 'KEY_NOT_CANONICAL']).toContain(
        codeOf(() => PublicKey.fromSpki(Buffer.concat([spki, Buffer.of(0)]))),
      );
      expect(codeOf(() => PublicKey.fromSpki(spki.subarray(0, -1)))).toBe('KEY_MALFORMED');
    }
    const long = spkiOf(accepted['P-256']);
    const padded = Buffer.concat([Buffer.of(0x30, 0x81, 0x59), long.subarray(2)]);
    expect(['KEY_MALFORMED', 'KEY_NOT_CANONICAL']).toContain(codeOf(() => PublicKey.fromSpki(padded)));
    expect(codeOf(() => PublicKey.fromSpki(Buffer.alloc(601)))).toBe('KEY_MALFORMED');
    expect(codeOf(() => PublicKey.fromSpki(Buffer.alloc(0)))).toBe('KEY_MALFORMED');
  });

  it('never ends in another error than its own, and accepts nothing but the canonical bytes', () => {
    const spki = spkiOf(accepted.RSA);
    fc.assert(
      fc.property(fc.nat(spki.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Buffer.from(spki);
        bad[at] = (bad[at] ?? 0) ^ flip;
        const code = codeOf(() => PublicKey.fromSpki(bad));
        // Within modulus and exponent another valid key may result; then its bytes are what was given.
        if (code === 'accepted') expect(PublicKey.fromSpki(bad).spki).toEqual(bad);
        else expect(code).toMatch(/^KEY_/);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) =>
        expect(codeOf(() => PublicKey.fromSpki(bytes))).toMatch(/^KEY_/),
      ),
    );
  });
});

describe('JWK', () => {
  it('with any private member is refused, whatever the kind', () => {
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']) {
      for (const kind of KINDS) {
        expect(
          codeOf(() => PublicKey.fromJwk({ ...PublicKey.fromKeyObject(accepted[kind]).jwk, [member]: 'AA' })),
        ).toBe('JWK_PRIVATE');
      }
    }
  });

  it('of a wrong shape is refused', () => {
    const { x = '', y = '' } = PublicKey.fromKeyObject(accepted['P-256']).jwk;
    const cases: [unknown, string][] = [
      [null, 'JWK_MALFORMED'],
      [[], 'JWK_MALFORMED'],
      ['{}', 'JWK_MALFORMED'],
      [{}, 'KEY_UNSUPPORTED'],
      [{ kty: 'oct' }, 'KEY_UNSUPPORTED'],
      [{ kty: 'EC', crv: 'P-256', x }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'P-256', x, y: 5 }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'P-256', x, y: `${y}=` }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'P-256', x, y: `${y} ` }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'P-256', x: `AA${x}`, y }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'P-384', x, y }, 'JWK_MALFORMED'],
      [{ kty: 'EC', crv: 'Ed25519', x, y }, 'KEY_UNSUPPORTED'],
      [{ kty: 'OKP', crv: 'P-256', x, y }, 'KEY_UNSUPPORTED'],
      [{ kty: 'EC', crv: 'constructor', x, y }, 'KEY_UNSUPPORTED'],
      [{ kty: 'EC', crv: 'P-256', x: y, y: x }, 'KEY_NOT_ON_CURVE'],
      [{ kty: 'RSA', n: 'AAEB', e: 'AQAB' }, 'JWK_MALFORMED'],
      [{ kty: 'RSA', n: '', e: 'AQAB' }, 'JWK_MALFORMED'],
      [{ kty: 'RSA', e: 'AQAB' }, 'JWK_MALFORMED'],
    ];
    for (const [jwk, code] of cases) expect(codeOf(() => PublicKey.fromJwk(jwk))).toBe(code);
  });
});
