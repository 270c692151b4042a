import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { AttestationAuthorities, fromPem, isPkiError, MeshCa, PublicKey } from './index.js';

const ISSUER = 'https://shared.uks.attest.example';
const now = new Date('2026-05-01T10:00:00Z');
const at = (seconds: number) => Math.floor(now.getTime() / 1000) + seconds;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwkOf = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid });
const authorities = new AttestationAuthorities();

beforeAll(() => authorities.set(ISSUER, { keys: [jwkOf(rsa.publicKey, 'k1')] }));

const token = (
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: KeyObject = rsa.privateKey,
) =>
  new SignJWT({ iss: ISSUER, iat: at(-10), nbf: at(-10), exp: at(600), 'x-ms-ver': '1.0', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT', ...header })
    .sign(key);
const codeOf = async (text: string | Promise<string>, more: object = {}, by = authorities) =>
  by.verify(await text, { now, ...more }).then(
    () => 'accepted',
    (error: unknown) => (isPkiError(error) ? error.code : String(error)),
  );
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('AttestationAuthorities', () => {
  it('accepts a token of a listed issuer, with or without typ', async () => {
    const { issuer, claims } = await authorities.verify(await token(), { now });
    expect({ issuer, version: claims['x-ms-ver'] }).toEqual({ issuer: ISSUER, version: '1.0' });
    expect(await codeOf(token({}, { typ: undefined }))).toBe('accepted');
  });

  const refusals: [string, () => Promise<string>, string][] = [
    ['an issuer that is not listed', () => token({ iss: `${ISSUER}/` }), 'JWT_ISSUER_REFUSED'],
    ['no issuer', () => token({ iss: undefined }), 'JWT_CLAIM_INVALID'],
    ['an unknown key', () => token({}, { kid: 'k2' }), 'JWT_KEY_UNKNOWN'],
    ['no kid', () => token({}, { kid: undefined }), 'JWT_KEY_UNKNOWN'],
    ['a foreign signature', () => token({}, {}, other.privateKey), 'JWT_SIGNATURE_INVALID'],
    ['another algorithm of the same key', () => token({}, { alg: 'RS512' }), 'JWT_ALG_REFUSED'],
    ['another type', () => token({}, { typ: 'siegel-attestation+jwt' }), 'JWT_TYP_REFUSED'],
    ['expired', () => token({ exp: at(-61) }), 'JWT_EXPIRED'],
    ['not yet valid', () => token({ nbf: at(61) }), 'JWT_NOT_YET_VALID'],
    ['from the future', () => token({ iat: at(61) }), 'JWT_NOT_YET_VALID'],
    ['no expiry', () => token({ exp: undefined }), 'JWT_CLAIM_INVALID'],
    [
      'alg none',
      async () => `${encode({ alg: 'none', kid: 'k1' })}.${(await token()).split('.')[1]}.`,
      'JWT_ALG_REFUSED',
    ],
    [
      'a key in the header of the token',
      () =>
        token(
          {},
          { kid: 'mine', jwk: other.publicKey.export({ format: 'jwk' }), jku: ISSUER },
          other.privateKey,
        ),
      'JWT_KEY_UNKNOWN',
    ],
    [
      'the public key as the secret of an HMAC',
      async () => {
        const input = `${encode({ alg: 'HS256', kid: 'k1' })}.${(await token()).split('.')[1]}`;
        const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
        return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
      },
      'JWT_ALG_REFUSED',
    ],
    ['too large', () => token({ padding: 'x'.repeat(70_000) }), 'JWT_TOO_LARGE'],
    ['no token', () => Promise.resolve('a.b'), 'JWT_MALFORMED'],
  ];
  it.each(refusals)('refuses %s', async (_, make, code) => {
    expect(await codeOf(make())).toBe(code);
  });

  it('a key counts for its own issuer alone, though another has the same', async () => {
    const two = new AttestationAuthorities();
    two.set(ISSUER, { keys: [jwkOf(rsa.publicKey, 'k1')] });
    two.set('https://tenant.attest.example', { keys: [jwkOf(other.publicKey, 'k1')] });
    expect(await codeOf(token({ iss: 'https://tenant.attest.example' }), {}, two)).toBe(
      'JWT_SIGNATURE_INVALID',
    );
    expect(await codeOf(token({ iss: 'https://tenant.attest.example' }, {}, other.privateKey), {}, two)).toBe(
      'accepted',
    );
  });

  it('bounds the age of a token where asked', async () => {
    expect(await codeOf(token({ iat: at(-1_000) }), { maxAgeSeconds: 600 })).toBe('JWT_LIFETIME_REFUSED');
    expect(await codeOf(token({ iat: undefined }), { maxAgeSeconds: 600 })).toBe('JWT_CLAIM_INVALID');
    expect(await codeOf(token(), { maxAgeSeconds: 600 })).toBe('accepted');
  });

  it('takes keys from certificates, as Microsoft Azure Attestation publishes them', async () => {
    const ca = await MeshCa.open({ trustDomain: 'test.example' });
    const { chainPem } = await ca.issueLeaf({
      spki: PublicKey.fromKeyObject(rsa.publicKey),
      dns: ['attest.example'],
      ttlSeconds: 3_600,
      now: new Date(),
    });
    const x5c = fromPem('CERTIFICATE', chainPem)!.map((der) => der.toString('base64'));
    const published = new AttestationAuthorities();
    published.set(ISSUER, { keys: [{ kty: 'RSA', kid: 'k1', x5c }] });
    expect(await codeOf(token(), {}, published)).toBe('accepted');
  });

  it.each([
    ['no list', {}],
    ['an empty list', { keys: [] }],
    ['a symmetric key', { keys: [{ kty: 'oct', kid: 'k', k: 'AAAA' }] }],
    ['no kid', { keys: [{ ...jwkOf(rsa.publicKey, ''), kid: undefined }] }],
    ['one kid twice', { keys: [jwkOf(rsa.publicKey, 'k'), jwkOf(other.publicKey, 'k')] }],
    ['a short key', { keys: [jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'k')] }],
    ['alg none', { keys: [{ ...jwkOf(rsa.publicKey, 'k'), alg: 'none' }] }],
    ['keys for encryption alone', { keys: [{ ...jwkOf(rsa.publicKey, 'k'), use: 'enc' }] }],
  ])('refuses a JWKS with %s', (_, jwks) => {
    expect(() => new AttestationAuthorities().set(ISSUER, jwks)).toThrow(/JWK|key/i);
  });
});
