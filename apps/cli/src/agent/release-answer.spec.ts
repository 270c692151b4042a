import { MeshCa, PublicKey } from '#pki';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  constants,
  createCipheriv,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  sign,
} from 'node:crypto';
import type { AgentError } from './agent-error.js';
import { unwrapKey } from './key-unwrap.js';
import { readRelease } from './release-answer.js';

const NOW = new Date();
const signer = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 });
const KID = 'https://release.example/keys/Disk/0123456789abcdef0123456789abcdef';
let ca: MeshCa;
let x5c: string[];

async function chain(
  authority: MeshCa,
  key: KeyObject,
  dns = 'release.example',
  at = NOW,
): Promise<string[]> {
  const leaf = await authority.issueLeaf({
    spki: PublicKey.fromKeyObject(key),
    dns: [dns],
    ttlSeconds: 3_600,
    now: at,
  });
  return [...leaf.chainPem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body]) =>
    body!.replace(/\s/g, ''),
  );
}
beforeAll(async () => {
  ca = await MeshCa.open({ trustDomain: 'test.example' });
  x5c = await chain(ca, signer.publicKey);
});

function wrapped(material: Buffer, oaepHash = 'sha256'): string {
  const aes = randomBytes(32);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const cipher = createCipheriv('id-aes256-wrap-pad', aes, Buffer.from('A65959A6', 'hex'));
  return Buffer.concat([
    publicEncrypt({ key: wrapping.publicKey, padding, oaepHash }, aes),
    cipher.update(material),
    cipher.final(),
  ]).toString('base64url');
}
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const payload = (change: { kid?: string; key?: object } = {}) => ({
  request: { 'api-version': '7.4', enc: 'RSA_AES_KEY_WRAP_256', kid: change.kid ?? KID },
  response: {
    key: {
      key: {
        kid: KID,
        kty: 'oct-HSM',
        key_ops: ['export'],
        key_hsm: part({ schema_version: '1.0', ciphertext: wrapped(Buffer.from('a symmetric key!')) }),
        ...change.key,
      },
    },
  },
});
function jws(options: { header?: object; body?: unknown; key?: KeyObject } = {}): string {
  const { body = payload(), key = signer.privateKey, header = {} } = options;
  const input = `${part({ alg: 'RS256', x5c, ...header })}.${part(body)}`;
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}
const read = (text: string, host = 'release.example:8443', kid = 'disk', now = NOW) =>
  readRelease(text, host, kid, [ca.rootPem], now);
const code = (run: () => unknown): unknown => {
  try {
    run();
    return 'accepted';
  } catch (error) {
    return (error as AgentError).code;
  }
};

describe('a release', () => {
  it('is read and unwrapped: symmetric, RSA and EC keys', () => {
    expect(unwrapKey(read(jws()), wrapping.privateKey)).toEqual({
      kty: 'oct',
      k: Buffer.from('a symmetric key!').toString('base64url'),
      key_ops: ['export'],
    });
    for (const [kty, { privateKey }] of [
      ['RSA-HSM', signer],
      ['EC', ec],
    ] as const) {
      const der = privateKey.export({ format: 'der', type: 'pkcs8' });
      const answer = read(
        jws({ body: payload({ key: { kty, key_hsm: part({ ciphertext: wrapped(der) }) } }) }),
      );
      const jwk = unwrapKey(answer, wrapping.privateKey);
      expect(createPrivateKey({ key: jwk, format: 'jwk' } as never).equals(privateKey)).toBe(true);
    }
  });

  it.each(['CKM_RSA_AES_KEY_WRAP sha1', 'RSA_AES_KEY_WRAP_384 sha384'])('by %s', (text) => {
    const [enc = '', oaep = ''] = text.split(' ');
    const ciphertext = Buffer.from(wrapped(Buffer.from('k'), oaep), 'base64url');
    const answer = { enc, kty: 'oct', keyOps: [], ciphertext };
    expect(unwrapKey(answer, wrapping.privateKey)['k']).toBe(Buffer.from('k').toString('base64url'));
  });

  it('of a version, where one was asked for', () => {
    expect(code(() => read(jws(), undefined, 'disk/0123456789ABCDEF0123456789ABCDEF'))).toBe('accepted');
    expect(code(() => read(jws(), undefined, 'disk/ffffffffffffffffffffffffffffffff'))).toBe(
      'RELEASE_UNTRUSTED',
    );
  });

  it('chains to a root that is in x5c as well', () => {
    const root = ca.rootPem.replace(/-----[^-]+-----|\s/g, '');
    expect(code(() => read(jws({ header: { x5c: [...x5c, root] } })))).toBe('accepted');
  });
});

describe('not trusted', () => {
  it.each<[string, () => unknown]>([
    ['no JWS', () => read('a.b')],
    ['a fourth part', () => read(`${jws()}.x`)],
    ['alg none', () => read(jws({ header: { alg: 'none' } }))],
    ['another algorithm', () => read(jws({ header: { alg: 'PS256' } }))],
    ['no certificate', () => read(jws({ header: { x5c: [] } }))],
    ['a certificate that is none', () => read(jws({ header: { x5c: ['AAAA'] } }))],
    ['a chain without its intermediate', () => read(jws({ header: { x5c: x5c.slice(0, 1) } }))],
    ['another endpoint', () => read(jws(), 'other.example')],
    ['an address', () => read(jws(), '127.0.0.1')],
    ['an expired certificate', () => read(jws(), undefined, undefined, new Date(NOW.getTime() + 7_200_000))],
    [
      'a certificate of the future',
      () => read(jws(), undefined, undefined, new Date(NOW.getTime() - 7_200_000)),
    ],
    ['the signature of another', () => read(jws({ key: wrapping.privateKey }))],
    [
      'a changed payload',
      () => {
        const [head, , tail] = jws().split('.');
        return read(`${head}.${part(payload({ kid: `${KID}0` }))}.${tail}`);
      },
    ],
    ['another key', () => read(jws(), undefined, 'other')],
    ['a key id that is none', () => read(jws({ body: payload({ kid: 'disk' }) }))],
    ['a payload of another shape', () => read(jws({ body: { request: {} } }))],
    ['no ciphertext', () => read(jws({ body: payload({ key: { key_hsm: part({}) } }) }))],
  ])('%s', (_what, run) => {
    expect(code(run)).toBe('RELEASE_UNTRUSTED');
  });

  it('another authority', async () => {
    const stranger = await MeshCa.open({ trustDomain: 'test.example' });
    const foreign = await chain(stranger, signer.publicKey);
    expect(code(() => read(jws({ header: { x5c: foreign } })))).toBe('RELEASE_UNTRUSTED');
    // A leaf is no authority, whoever certified it.
    const leafKey = await chain(ca, signer.publicKey);
    expect(
      code(() =>
        readRelease(
          jws({ header: { x5c: foreign } }),
          'release.example',
          'disk',
          [`-----BEGIN CERTIFICATE-----\n${leafKey[0]}\n-----END CERTIFICATE-----\n`],
          NOW,
        ),
      ),
    ).toBe('RELEASE_UNTRUSTED');
  });

  it.each<[string, object]>([
    ['an unknown wrapping', { enc: 'RSA1_5' }],
    ['a ciphertext that ends too early', { ciphertext: Buffer.alloc(200) }],
    ['a ciphertext for another key', { ciphertext: Buffer.alloc(300, 1) }],
    ['another hash', { enc: 'RSA_AES_KEY_WRAP_384' }],
    ['a private key that is none', { kty: 'RSA-HSM' }],
  ])('unwraps nothing: %s', (_what, change) => {
    const answer = { ...read(jws()), ...change };
    expect(code(() => unwrapKey(answer, wrapping.privateKey))).toBe('RELEASE_UNTRUSTED');
  });
});
