import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  acceptableReportData,
  BINDING_CONVENTIONS,
  BINDINGS,
  checkBinding,
  expectedReportData,
} from '../index.js';
import type { BindingConvention } from '../index.js';
import { SCONE_CERTIFICATE_PEM, SCONE_CERTIFICATE_SHA256, SCONE_REPORT_DATA } from './scone-recording.js';

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

const sconeCertificate = Buffer.from(SCONE_CERTIFICATE_PEM.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
const sconeChannel = {
  spki: createPublicKey(SCONE_CERTIFICATE_PEM).export({ format: 'der', type: 'spki' }),
  certificate: sconeCertificate,
};

describe('sha512-cert', () => {
  const data = Buffer.from(SCONE_REPORT_DATA, 'hex');
  const check = (input: Parameters<typeof checkBinding>[2]) => checkBinding('sha512-cert', data, input);

  it('holds for the channel certificate and report data that a SCONE runtime sent', () => {
    expect(check(sconeChannel)).toEqual({ ok: true });
    expect(expectedReportData('sha512-cert', sconeChannel)).toEqual(data);
    expect(hash('sha256', sconeCertificate).toString('hex')).toBe(SCONE_CERTIFICATE_SHA256);
  });

  it('refuses another key, another certificate of the key, no certificate, and a challenge', () => {
    expect(check({ ...sconeChannel, spki })).toMatchObject({ code: 'KEY_NOT_IN_CERTIFICATE' });
    const resigned = Buffer.from(sconeCertificate);
    resigned[resigned.length - 1]! ^= 1;
    expect(check({ ...sconeChannel, certificate: resigned })).toMatchObject({ code: 'BINDING_MISMATCH' });
    expect(check({ spki: sconeChannel.spki })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    const trailing = Buffer.concat([sconeCertificate, Buffer.of(0)]);
    expect(check({ ...sconeChannel, certificate: trailing })).toMatchObject({
      code: 'BINDING_INPUT_INVALID',
    });
    expect(check({ ...sconeChannel, nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
  });
});

describe('sha512-rsa-der', () => {
  const encodings = {
    'PKCS #1': hash('sha512', other.export({ format: 'der', type: 'pkcs1' })),
    SubjectPublicKeyInfo: hash('sha512', otherSpki),
  };

  it.each(Object.entries(encodings))('is the hash of the key as %s', (_name, data) => {
    expect(checkBinding('sha512-rsa-der', data, { spki: otherSpki })).toEqual({ ok: true });
  });

  it('has exactly these two values, which differ', () => {
    const values = acceptableReportData('sha512-rsa-der', { spki: otherSpki });
    expect(values).toEqual(Object.values(encodings));
    expect(values[0]).not.toEqual(values[1]);
  });

  it('refuses another key, a key of another kind, garbage, and a challenge', () => {
    const check = (input: Parameters<typeof checkBinding>[2]) =>
      checkBinding('sha512-rsa-der', encodings['PKCS #1'], input);
    const third = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    expect(check({ spki: third.export({ format: 'der', type: 'spki' }) })).toMatchObject({
      code: 'BINDING_MISMATCH',
    });
    expect(check({ spki })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(check({ spki: otherSpki.subarray(1) })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(check({ spki: otherSpki, nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
  });
});

describe('fortanix-config', () => {
  const configId = Buffer.from('0d'.repeat(32), 'hex');
  const plain = Buffer.concat([hash('sha256', spki), Buffer.alloc(32)]);
  const configured = Buffer.concat([
    hash('sha256', Buffer.concat([Buffer.of(1), hash('sha256', spki), configId])),
    configId,
  ]);
  const check = (data: Uint8Array, input: Parameters<typeof checkBinding>[2]) =>
    checkBinding('fortanix-config', data, input);

  it('binds the key alone, or the key and a configuration', () => {
    expect(check(plain, { spki })).toEqual({ ok: true });
    expect(check(configured, { spki, configId })).toEqual({ ok: true });
  });

  it('refuses a swapped, forgotten or invented configuration, and another key', () => {
    const swapped = Buffer.alloc(32, 0x0e);
    const relabelled = Buffer.concat([configured.subarray(0, 32), swapped]);
    for (const [data, input] of [
      [configured, { spki, configId: swapped }],
      [relabelled, { spki, configId: swapped }],
      [configured, { spki }],
      [plain, { spki, configId }],
      [plain, { spki, configId: Buffer.alloc(32) }],
      [configured, { spki: otherSpki, configId }],
      [plain, { spki: otherSpki }],
    ] as const) {
      expect(check(data, input)).toMatchObject({ ok: false, code: 'BINDING_MISMATCH' });
    }
  });

  it('refuses an identifier of another length, and a challenge', () => {
    for (const length of [0, 31, 33]) {
      expect(check(configured, { spki, configId: Buffer.alloc(length) })).toMatchObject({
        code: 'BINDING_INPUT_INVALID',
      });
    }
    expect(check(configured, { spki, configId, nonce })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
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

/** As a Trustee client hashes it; the convention's own tests are in trustee-runtime-data.spec.ts. */
const trusteeData = Buffer.from(
  JSON.stringify({
    nonce: nonce.toString('base64'),
    'tee-pubkey': { alg: 'ECDH-ES+A256KW', ...publicKey.export({ format: 'jwk' }) },
  }),
);

const pkcs1Pem = (key: Buffer): Buffer =>
  Buffer.from(
    createPublicKey({ key, type: 'spki', format: 'der' }).export({ type: 'pkcs1', format: 'pem' }) as string,
  );

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
    const everything = {
      spki,
      runtimeData: jwks({ nonce: nonce.toString('base64url') }),
      claims: diceClaims,
      configId: Buffer.alloc(32, 9),
    };
    const inputsOf = (convention: BindingConvention) => {
      if (convention === 'sha512-rsa-der') return { spki: otherSpki };
      if (convention === 'aecs-pem') return { spki: otherSpki, runtimeData: pkcs1Pem(otherSpki) };
      if (convention === 'sha512-cert') return sconeChannel;
      if (convention === 'trustee-runtime-data') return { spki, runtimeData: trusteeData };
      return everything;
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...BINDING_CONVENTIONS),
        fc.nat(511),
        fc.boolean(),
        (convention, bit, challenged) => {
          const withNonce = (challenged && BINDINGS[convention].bindsChallenge) || convention === 'raw-nonce';
          const inputs = inputsOf(convention);
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
            certificate: fc.uint8Array({ maxLength: 300 }),
            configId: fc.uint8Array({ maxLength: 40 }),
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
