import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import {
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type JsonGeneralName,
} from '@peculiar/x509';
import fc from 'fast-check';
import { createPublicKey, webcrypto, X509Certificate } from 'node:crypto';
import { publicKeyOf, readMarbleCsr } from './marble-csr.js';
import { ActivationRefusal } from './refusal.js';

type Keys = webcrypto.CryptoKeyPair;
const P384 = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
};
const keysOf = (algorithm: typeof P384 | typeof RSA | { name: 'Ed25519' }) =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<Keys>;

async function csrOf(
  names: JsonGeneralName[],
  keys?: Keys,
  algorithm: typeof P384 | typeof RSA | { name: 'Ed25519' } = P384,
) {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=ignored, O=Somebody',
    keys: keys ?? (await keysOf(algorithm)),
    signingAlgorithm: algorithm,
    extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
  });
  return Buffer.from(request.rawData);
}
const refusalOf = async (csr: Buffer, provenKey?: Buffer) => {
  const error = await readMarbleCsr(csr, provenKey).catch((failure: unknown) => failure);
  if (!(error instanceof ActivationRefusal)) throw new Error('not refused');
  return error;
};

describe("a marble's request for a certificate", () => {
  it('gives the names that it asks for, whatever else it says', async () => {
    const csr = await csrOf([
      { type: 'dns', value: 'a.example' },
      { type: 'ip', value: '10.1.2.3' },
      { type: 'email', value: 'x@y' },
      { type: 'dns', value: '*.b.example' },
      { type: 'ip', value: 'fd00::1' },
    ]);
    expect(await readMarbleCsr(csr)).toMatchObject({
      dnsNames: ['a.example', '*.b.example'],
      ipAddresses: ['10.1.2.3', 'fd00:0000:0000:0000:0000:0000:0000:0001'],
    });
    expect(await readMarbleCsr(await csrOf([]))).toMatchObject({ dnsNames: [], ipAddresses: [] });
  });

  it.each([
    ['RSA', RSA],
    ['Ed25519', { name: 'Ed25519' as const }],
  ])('may be signed with %s', async (_name, algorithm) => {
    const csr = await csrOf([], undefined, algorithm);
    await expect(readMarbleCsr(csr)).resolves.toBeDefined();
  });

  it('must be signed by its own key', async () => {
    const csr = await csrOf([{ type: 'dns', value: 'a' }]);
    csr[csr.length - 1]! ^= 1;
    expect((await refusalOf(csr)).told).toEqual({
      status: 13,
      message: 'generating marble authentication secrets: signature over CSR is invalid',
    });
  });

  it('is not verified again where the handshake has proven its key; that of another key is', async () => {
    const keys = await keysOf(P384);
    const csr = await csrOf([], keys);
    csr[csr.length - 1]! ^= 1;
    const own = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
    const other = Buffer.from(await webcrypto.subtle.exportKey('spki', (await keysOf(P384)).publicKey));
    await expect(readMarbleCsr(csr, own)).resolves.toBeDefined();
    expect((await refusalOf(csr, other)).reason.code).toBe('CSR_SIGNATURE_INVALID');
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'asn1: syntax error: sequence truncated'],
    ['text', Buffer.from('garbage'), 'asn1: structure error'],
    ['too much', Buffer.alloc(20_000), 'more than 16384 bytes'],
  ])('%s is none', async (_what, bytes, message) => {
    const { told } = await refusalOf(bytes);
    expect(told.status).toBe(13);
    expect(told.message).toContain(`generating marble authentication secrets: parsing CSR: ${message}`);
  });

  it('with names that are none, or too many, is refused', async () => {
    const many = Array.from({ length: 65 }, (_none, at): JsonGeneralName => ({
      type: 'dns',
      value: `n${at}`,
    }));
    expect((await refusalOf(await csrOf(many))).told.message).toContain('more than 64 names');
    for (const value of ['a b', 'a\0b', ''])
      expect((await refusalOf(await csrOf([{ type: 'dns', value }]))).told.message).toContain(
        'a DNS name of other characters',
      );
  });

  it('of any bytes is refused in no other way', async () => {
    const csr = await csrOf([{ type: 'dns', value: 'a.example' }]);
    await fc.assert(
      fc.asyncProperty(fc.nat(csr.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(csr);
        changed[at]! ^= change;
        const refused = await readMarbleCsr(changed).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(ActivationRefusal);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the key of a certificate', () => {
  it('is its SubjectPublicKeyInfo as it stands', async () => {
    const keys = await keysOf(P384);
    const { rawData } = await X509CertificateGenerator.createSelfSigned({
      name: 'CN=x',
      keys,
      signingAlgorithm: P384,
    });
    const der = Buffer.from(rawData);
    const expected = createPublicKey(new X509Certificate(der).toString()).export({
      type: 'spki',
      format: 'der',
    });
    expect(publicKeyOf(der)).toEqual(expected);
    expect(publicKeyOf(der.subarray(1))).toBeUndefined();
  });
});
