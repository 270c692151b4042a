import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { provisioningKeyOf, quoteOf } from './provisioning-files.js';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const spki = publicKey.export({ format: 'der', type: 'spki' });
const der = (key: KeyObject, type: 'pkcs1' | 'spki' | 'pkcs8'): string =>
  (key.export({ format: 'der', type: type as 'pkcs1' }) as Buffer).toString('base64');
const pem = (key: KeyObject, type: 'pkcs1' | 'spki' | 'pkcs8'): string =>
  key.export({ format: 'pem', type: type as 'pkcs1' }) as string;

describe('the provisioning key', () => {
  it.each([
    ['PEM of SPKI', pem(publicKey, 'spki')],
    ['PEM of PKCS #1', pem(publicKey, 'pkcs1')],
    ['PEM with the line ends of Windows', pem(publicKey, 'pkcs1').replaceAll('\n', '\r\n')],
    ['DER of SPKI', der(publicKey, 'spki')],
    ['DER of PKCS #1', der(publicKey, 'pkcs1')],
    ['DER in lines', der(publicKey, 'spki').replace(/.{64}/g, '$&\n')],
  ])('is read as %s', (_what, text) => {
    expect(provisioningKeyOf(text).spki).toEqual(spki);
  });

  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  it.each([
    ['a private key in PEM', pem(privateKey, 'pkcs1')],
    ['a private key in PKCS #8', pem(privateKey, 'pkcs8')],
    ['a private key in DER', der(privateKey, 'pkcs1')],
    ['a private key in DER of PKCS #8', der(privateKey, 'pkcs8')],
    [
      'a private key under the label of a public one',
      pem(privateKey, 'pkcs1').replaceAll('PRIVATE', 'PUBLIC'),
    ],
    ['a key of a curve', pem(ec, 'spki')],
    ['a weak key', pem(weak, 'pkcs1')],
    ['a weak key in DER', der(weak, 'spki')],
    ['SPKI under the label of PKCS #1', pem(publicKey, 'spki').replaceAll('PUBLIC', 'RSA PUBLIC')],
    ['two keys', pem(publicKey, 'spki').repeat(2)],
    ['something behind the key', `${der(publicKey, 'pkcs1').replace(/=+$/, '')}AAAA`],
    ['nothing', ''],
    ['no base64', 'key?'],
  ])('is not %s', (_what, text) => {
    const refused = expect.objectContaining({ code: 'PUBLIC_KEY_INVALID' });
    expect(() => provisioningKeyOf(text)).toThrow(refused as unknown as Error);
  });
});

describe('the quote', () => {
  it('is base64, in lines or in one', () => {
    expect(quoteOf('AAEC\r\nAw==\n')).toEqual(Buffer.from([0, 1, 2, 3]));
  });

  it.each([
    ['', 'EVIDENCE_EMPTY'],
    ['AAE', 'EVIDENCE_MALFORMED'],
    ['AA-_', 'EVIDENCE_MALFORMED'],
    ['AA EC', 'EVIDENCE_MALFORMED'],
  ])('is not %j', (text, code) => {
    expect(() => quoteOf(text)).toThrow(expect.objectContaining({ code }) as unknown as Error);
  });
});
