import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BINDING_CONVENTIONS, BINDINGS, checkBinding, expectedReportData } from '../index.js';
import type { BindingConvention } from '../index.js';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = publicKey.export({ format: 'der', type: 'spki' });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
const otherSpki = other.export({ format: 'der', type: 'spki' });
const nonce = Buffer.alloc(32, 7);
const hash = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest();
const jwks = (extra: object = {}) =>
  Buffer.from(
    JSON.stringify({
      keys: [
        other.export({ format: 'jwk' }),
        { ...publicKey.export({ format: 'jwk' }), kid: 'a', key_ops: 'encrypt' },
      ],
      ...extra,
    }),
  );

describe('sha256-spki', () => {
  it('is SHA-256 of the SPKI and zeros without a challenge', () => {
    const expected = Buffer.concat([hash('sha256', spki), Buffer.alloc(32)]);
    expect(expectedReportData('sha256-spki', { spki })).toEqual(expected);
    expect(checkBinding('sha256-spki', expected, { spki })).toEqual({ ok: true });
  });

  it('carries SHA-256 of the challenge in the upper half', () => {
    const data = Buffer.concat([hash('sha256', spki), hash('sha256', nonce)]);
    expect(checkBinding('sha256-spki', data, { spki, nonce })).toEqual({ ok: true });
    expect(checkBinding('sha256-spki', data, { spki })).toMatchObject({
      ok: false,
      code: 'BINDING_MISMATCH',
    });
    expect(checkBinding('sha256-spki', data, { spki, nonce: Buffer.alloc(32, 8) })).toMatchObject({
      code: 'CHALLENGE_NOT_BOUND',
    });
    expect(checkBinding('sha256-spki', data, { spki: otherSpki, nonce })).toMatchObject({
      code: 'BINDING_MISMATCH',
    });
  });
});

describe('sha512-spki', () => {
  it('fills all 64 bytes and has no room for a challenge', () => {
    const data = hash('sha512', spki);
    expect(checkBinding('sha512-spki', data, { spki })).toEqual({ ok: true });
    expect(checkBinding('sha512-spki', data, { spki, nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
  });
});

describe('sha256-runtime-data', () => {
  const bound = (data: Uint8Array) => Buffer.concat([hash('sha256', data), Buffer.alloc(32)]);
  const check = (runtimeData: Uint8Array, extra: object = {}) =>
    checkBinding('sha256-runtime-data', bound(runtimeData), { spki, runtimeData, ...extra });

  it.each([
    ['SPKI DER', spki],
    ['SPKI PEM', Buffer.from(publicKey.export({ format: 'pem', type: 'spki' }))],
    ['a JWKS', jwks()],
    ['a JWKS padded with NUL to 512 bytes and more', Buffer.concat([jwks(), Buffer.alloc(200)])],
  ])('finds the key in %s', (_name, data) => {
    expect(check(data)).toEqual({ ok: true });
  });

  it('refuses runtime data that is bound to the quote but holds another key', () => {
    expect(check(otherSpki)).toMatchObject({ code: 'KEY_NOT_IN_RUNTIME_DATA' });
    expect(check(Buffer.from('{"keys":[]}'))).toMatchObject({ code: 'KEY_NOT_IN_RUNTIME_DATA' });
    expect(check(Buffer.from('{"keys":'))).toMatchObject({ code: 'KEY_NOT_IN_RUNTIME_DATA' });
  });

  it('demands the challenge inside the runtime data', () => {
    expect(check(jwks({ nonce: nonce.toString('base64url') }), { nonce })).toEqual({ ok: true });
    expect(check(jwks({ nonce: randomBytes(32).toString('base64url') }), { nonce })).toMatchObject({
      code: 'CHALLENGE_NOT_BOUND',
    });
    expect(check(jwks(), { nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
  });

  it('refuses runtime data that the quote does not hash, also in the upper half', () => {
    expect(
      checkBinding('sha256-runtime-data', bound(jwks({ a: 1 })), { spki, runtimeData: jwks() }),
    ).toMatchObject({ code: 'BINDING_MISMATCH' });
    const data = bound(spki);
    data[63] = 1;
    expect(checkBinding('sha256-runtime-data', data, { spki, runtimeData: spki })).toMatchObject({
      code: 'BINDING_MISMATCH',
    });
    expect(checkBinding('sha256-runtime-data', data, { spki })).toMatchObject({
      code: 'BINDING_INPUT_INVALID',
    });
  });
});

/** CBOR {"pubkey-hash": bytes of [1, SHA-256 of the key]}, as Gramine writes it. */
const diceClaims = Buffer.concat([
  Buffer.from('a16b7075626b65792d68617368582482015820', 'hex'),
  createHash('sha256').update(spki).digest(),
]);

describe('dice-claims', () => {
  const data = expectedReportData('dice-claims', { spki, claims: diceClaims });

  it('is the hash of the claims as carried, and the claims name the key', () => {
    expect(data.subarray(0, 32)).toEqual(createHash('sha256').update(diceClaims).digest());
    expect(data.subarray(32)).toEqual(Buffer.alloc(32));
    expect(checkBinding('dice-claims', data, { spki, claims: diceClaims })).toEqual({ ok: true });
  });

  it('refuses another key, absent or malformed claims, and a challenge', () => {
    const other = Buffer.from(spki);
    other[other.length - 1]! ^= 1;
    const check = (input: Parameters<typeof checkBinding>[2]) => checkBinding('dice-claims', data, input);
    expect(check({ spki: other, claims: diceClaims })).toMatchObject({ code: 'KEY_NOT_IN_CLAIMS' });
    expect(check({ spki })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(check({ spki, claims: Buffer.of(0xa0) })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(check({ spki, claims: diceClaims, nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
  });
});

describe('raw-nonce', () => {
  it('is the challenge followed by zeros, and says that it binds no key', () => {
    const data = Buffer.concat([nonce, Buffer.alloc(32)]);
    expect(checkBinding('raw-nonce', data, { nonce })).toEqual({ ok: true });
    expect(checkBinding('raw-nonce', data, { nonce: nonce.subarray(0, 16) })).toMatchObject({
      code: 'BINDING_MISMATCH',
    });
    expect(checkBinding('raw-nonce', data, { spki })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(BINDINGS['raw-nonce'].bindsKey).toBe(false);
  });
});

describe('any convention', () => {
  it('refuses unknown and absent names, including names of Object.prototype', () => {
    for (const name of ['', 'md5-spki', 'constructor', '__proto__', 'toString']) {
      expect(checkBinding(name, Buffer.alloc(64), { spki })).toMatchObject({
        ok: false,
        code: 'BINDING_UNKNOWN',
      });
    }
    expect(() => expectedReportData('nope' as BindingConvention, { spki })).toThrow(/no binding convention/);
  });

  it.each([0, 15, 65])('refuses a challenge of %i bytes', (length) => {
    for (const convention of BINDING_CONVENTIONS) {
      const result = checkBinding(convention, Buffer.alloc(64), {
        spki,
        nonce: Buffer.alloc(length),
        runtimeData: spki,
        claims: diceClaims,
      });
      expect(result).toMatchObject({ ok: false, code: 'BINDING_INPUT_INVALID' });
    }
  });

  it('refuses report data of the wrong length', () => {
    for (const length of [0, 32, 63, 65]) {
      expect(checkBinding('sha256-spki', Buffer.alloc(length), { spki })).toMatchObject({
        code: 'BINDING_INPUT_INVALID',
      });
    }
  });

  it('accepts exactly the expected bytes: one flipped bit refuses', () => {
    const inputs = {
      spki,
      runtimeData: jwks({ nonce: nonce.toString('base64url') }),
      claims: diceClaims,
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...BINDING_CONVENTIONS),
        fc.nat(511),
        fc.boolean(),
        (convention, bit, challenged) => {
          const withNonce = (challenged && BINDINGS[convention].bindsChallenge) || convention === 'raw-nonce';
          const input = withNonce ? { ...inputs, nonce } : inputs;
          const data = expectedReportData(convention, input);
          expect(checkBinding(convention, data, input)).toEqual({ ok: true });
          data[bit >> 3]! ^= 1 << (bit & 7);
          expect(checkBinding(convention, data, input).ok).toBe(false);
        },
      ),
    );
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom<string>(...BINDING_CONVENTIONS), fc.string()),
        fc.uint8Array({ maxLength: 80 }),
        fc.record(
          {
            spki: fc.uint8Array(),
            nonce: fc.uint8Array({ maxLength: 70 }),
            runtimeData: fc.oneof(
              fc.uint8Array(),
              fc.json().map((j) => Buffer.from(j)),
            ),
          },
          { requiredKeys: [] },
        ),
        (convention, data, input) => {
          expect(checkBinding(convention, data, input).ok).toBe(false);
        },
      ),
    );
  });
});
