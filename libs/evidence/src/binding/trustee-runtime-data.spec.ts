import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPublicKey, generateKeyPairSync, hash, randomBytes, type JsonWebKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkBinding,
  readTrusteeKey,
  trusteeKeySpki,
  trusteeRuntimeData,
  type TrusteeKey,
} from '../index.js';

const RECORDINGS = join(process.cwd(), '..', 'shared', 'vectors', 'trustee', 'real-kbs-vectors.json');
interface Recording {
  readonly tee_pubkey: Record<string, string>;
  readonly nonce: string;
  readonly canonical_primary_runtime_data: string;
  readonly sha384_hex: string;
}
const recordings = existsSync(RECORDINGS)
  ? (JSON.parse(readFileSync(RECORDINGS, 'utf8')) as Recording[])
  : [];
if (recordings.length === 0) console.warn('no recordings of Trustee at hand: own keys alone are tested');

const CONVENTION = 'trustee-runtime-data';
const jwkOf = (alg: string, key: JsonWebKey) => ({ ...key, alg });
const keys = {
  'P-256': jwkOf(
    'ECDH-ES+A256KW',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  ),
  'P-521': jwkOf(
    'ECDH-ES+A256KW',
    generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' }),
  ),
  RSA: jwkOf(
    'RSA-OAEP-256',
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }),
  ),
};
const read = (jwk: unknown): TrusteeKey => {
  const key = readTrusteeKey(jwk);
  if (key === undefined) throw new Error('not read');
  return key;
};
const reportData = (text: string): Buffer =>
  Buffer.concat([hash('sha384', text, 'buffer'), Buffer.alloc(16)]);

describe('the runtime data of a Trustee client', () => {
  it.each(recordings.map((recording) => [recording.tee_pubkey['kty'], recording] as const))(
    'is what a real client hashed (%s)',
    (_kty, recording) => {
      const text = trusteeRuntimeData({
        nonce: recording.nonce,
        key: read(recording.tee_pubkey),
        additionalEvidence: '',
      });
      expect(text).toBe(recording.canonical_primary_runtime_data);
      expect(hash('sha384', text, 'hex')).toBe(recording.sha384_hex);
      const data = Buffer.from(`${recording.sha384_hex}${'00'.repeat(16)}`, 'hex');
      const input = {
        spki: trusteeKeySpki(read(recording.tee_pubkey)),
        nonce: Buffer.from(recording.nonce, 'base64'),
        runtimeData: Buffer.from(text),
      };
      expect(checkBinding(CONVENTION, data, input)).toEqual({ ok: true });
    },
  );

  it.each(Object.entries(keys))('has the SPKI that OpenSSL gives for %s', (name, jwk) => {
    const { alg: _alg, ...plain } = jwk;
    const spki = createPublicKey({ key: plain, format: 'jwk' }).export({ type: 'spki', format: 'der' });
    expect(trusteeKeySpki(read(jwk))).toEqual(spki);
    expect(read({ ...jwk, use: 'enc', kid: 'x' })).toEqual(read(jwk));
    expect(name).toBeTruthy();
  });

  it('has the SPKI that OpenSSL gives for ML-KEM-768', () => {
    const { publicKey } = generateKeyPairSync('ml-kem-768');
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const pub = spki.subarray(-1184).toString('base64url');
    expect(trusteeKeySpki(read({ kty: 'AKP', alg: 'ML-KEM-768+A192KW', pub }))).toEqual(spki);
  });

  it('before 0.4.0 has no member for further devices', () => {
    const key = read(keys.RSA);
    const { n, e } = keys.RSA;
    expect(trusteeRuntimeData({ nonce: 'AA==', key })).toBe(
      `{"nonce":"AA==","tee-pubkey":{"alg":"RSA-OAEP-256","e":"${e}","kty":"RSA","n":"${n}"}}`,
    );
  });

  it('refuses another key, another challenge, other data', () => {
    const nonce = randomBytes(32);
    const key = read(keys['P-256']);
    const text = trusteeRuntimeData({ nonce: nonce.toString('base64'), key, additionalEvidence: '' });
    const input = { spki: trusteeKeySpki(key), nonce, runtimeData: Buffer.from(text) };
    const check = (change: object, data = reportData(text)) =>
      checkBinding(CONVENTION, data, { ...input, ...change });
    expect(check({})).toEqual({ ok: true });
    expect(check({ nonce: undefined })).toEqual({ ok: true });
    expect(check({ spki: trusteeKeySpki(read(keys['P-521'])) })).toMatchObject({
      code: 'KEY_NOT_IN_RUNTIME_DATA',
    });
    expect(check({ nonce: randomBytes(32) })).toMatchObject({ code: 'CHALLENGE_NOT_BOUND' });
    expect(check({ runtimeData: undefined })).toMatchObject({ code: 'BINDING_INPUT_INVALID' });
    expect(check({}, reportData(`${text} `))).toMatchObject({ code: 'BINDING_MISMATCH' });
    const tail = reportData(text);
    tail[48] = 1;
    expect(check({}, tail)).toMatchObject({ code: 'BINDING_MISMATCH' });
  });

  it.each<readonly [string, unknown]>([
    ['nothing', undefined],
    ['a list', []],
    ['P-384', { ...keys['P-256'], crv: 'P-384' }],
    ['a short coordinate', { ...keys['P-256'], x: Buffer.alloc(31).toString('base64url') }],
    ['padding', { ...keys['P-256'], x: `${keys['P-256'].x ?? ''}=` }],
    ['a second spelling', { ...keys['P-256'], x: `${'A'.repeat(42)}B` }],
    ['no algorithm', { ...keys['P-256'], alg: undefined }],
    ['a huge modulus', { ...keys.RSA, n: 'A'.repeat(3_000) }],
    ['a symmetric key', { kty: 'oct', alg: 'A256KW', k: 'AAAA' }],
    ['a short ML-KEM key', { kty: 'AKP', alg: 'ML-KEM-768+A192KW', pub: 'AAAA' }],
  ])('has no key in %s', (_name, jwk) => {
    expect(readTrusteeKey(jwk)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const input = { spki: Buffer.alloc(91), runtimeData: Buffer.from(text) };
        expect(checkBinding(CONVENTION, reportData(text), input).ok).toBe(false);
      }),
      { numRuns: 100 },
    );
  });
});
