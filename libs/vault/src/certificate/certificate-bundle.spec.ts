import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { VaultError } from '../errors.js';
import { readCertificateBundle } from './certificate-bundle.js';
import { readPkcs12, writePkcs12 } from './pkcs12.js';
import { OPENSSL_3DES_PFX, OPENSSL_AES_PFX, RECORDED_SHA256 } from './pkcs12-recordings.js';

const details = { vault: 'v', objectName: 'edge' };
const read = (bytes: Uint8Array, type = 'application/x-pkcs12') =>
  readCertificateBundle(bytes, type, details);
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return error instanceof VaultError ? error.code : String(error);
  }
  return 'no error';
};

describe('certificate bundles', () => {
  it.each([
    ['AES', OPENSSL_AES_PFX],
    ['triple DES', OPENSSL_3DES_PFX],
  ])("reads OpenSSL's PKCS#12 with %s", (_, pfx) => {
    const bundle = read(pfx);
    expect(bundle.sha256).toBe(RECORDED_SHA256);
    expect(new X509Certificate(bundle.chainPem).checkPrivateKey(createPrivateKey(bundle.privateKeyPem))).toBe(
      true,
    );
    expect(bundle.notAfter.getTime()).toBeGreaterThan(bundle.notBefore.getTime());
  });

  it('writes PKCS#12 that TLS loads and that reads back the same', () => {
    const original = readPkcs12(OPENSSL_AES_PFX, '');
    const pfx = writePkcs12(original.privateKeys[0]!, original.certificates, '');
    expect(() => createSecureContext({ pfx, passphrase: '' })).not.toThrow();
    expect(readPkcs12(pfx, '')).toEqual(original);
    expect(() => readPkcs12(pfx, 'another')).toThrow('password');
  });

  it('gives the same certificate from PEM as from PKCS#12, with the key in front or behind', () => {
    const { chainPem, privateKeyPem, sha256 } = read(OPENSSL_AES_PFX);
    for (const pem of [chainPem + privateKeyPem.toString(), privateKeyPem.toString() + chainPem]) {
      expect(read(Buffer.from(pem), 'application/x-pem-file')).toMatchObject({
        chainPem,
        privateKeyPem,
        sha256,
      });
    }
  });

  it('refuses a key that does not belong to the certificate', () => {
    const { chainPem } = read(OPENSSL_AES_PFX);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    expect(codeOf(() => read(Buffer.from(chainPem + other), 'application/x-pem-file'))).toBe(
      'SECRET_CONTENT_INVALID',
    );
  });

  it('names a certificate without its key as not exportable', () => {
    const { chainPem } = read(OPENSSL_AES_PFX);
    expect(codeOf(() => read(Buffer.from(chainPem), 'application/x-pem-file'))).toBe(
      'CERTIFICATE_NOT_EXPORTABLE',
    );
  });

  it('refuses every truncation and every flipped byte without another kind of error', () => {
    let refused = 0;
    for (let length = 0; length < OPENSSL_AES_PFX.length; length += 17) {
      expect(codeOf(() => read(OPENSSL_AES_PFX.subarray(0, length)))).toBe('SECRET_CONTENT_INVALID');
    }
    for (let index = 0; index < OPENSSL_AES_PFX.length; index += 13) {
      const damaged = Buffer.from(OPENSSL_AES_PFX);
      damaged[index] = (damaged[index] ?? 0) ^ 0x41;
      const code = codeOf(() => read(damaged));
      if (code === 'SECRET_CONTENT_INVALID') refused++;
      else expect(code).toBe('no error');
    }
    expect(refused).toBeGreaterThan(80);
  });

  it('exports an EC key in PKCS#8', () => {
    const pem = read(OPENSSL_3DES_PFX).privateKeyPem.toString();
    expect(pem).toContain('BEGIN PRIVATE KEY');
    expect(createPublicKey(pem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});
