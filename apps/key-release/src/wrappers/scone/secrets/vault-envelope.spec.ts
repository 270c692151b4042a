import { PKCS12 } from '#vault';
import { describe, expect, it } from '@jest/globals';
import { createCipheriv, generateKeyPairSync } from 'node:crypto';
import { formatSecret } from './formats.js';
import { makeSecrets } from './make-secrets.js';
import type { SconeSecret } from './made-secret.js';
import { openEnvelope } from './vault-envelope.js';
import { vaultSecret } from './vault-value.js';

const KEY = Buffer.alloc(32, 7);
const IV = Buffer.from('000102030405060708090a0b', 'hex');

function sealed(plain: string | Buffer, length?: number, key = KEY): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, IV);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  const header = Buffer.from('00a100020000', 'hex');
  header.writeUInt16BE(length ?? ciphertext.length, 4);
  return Buffer.concat([header, IV, ciphertext, cipher.getAuthTag()]);
}
const open = (envelope: Buffer, key: Uint8Array = KEY) =>
  openEnvelope('s', envelope.toString('base64'), key).toString();
const changed = (at: number, to: number) => {
  const envelope = sealed('hello');
  envelope[at] = to;
  return envelope;
};

describe('an encrypted value of a vault', () => {
  it('is opened, whichever of the possible lengths it states', () => {
    for (const length of [12, 5, 5 + 16, 12 + 5 + 16]) expect(open(sealed('hello', length))).toBe('hello');
    expect(open(sealed(''))).toBe('');
    expect(openEnvelope('s', `${sealed('hello').toString('base64')}\n`, KEY).toString()).toBe('hello');
  });

  it.each<[what: string, envelope: Buffer, message: RegExp]>([
    ['another first word', changed(1, 0xa2), /00a1/],
    ['another version', changed(3, 1), /version 0002/],
    ['another length', sealed('hello', 6), /length/],
    ['a changed vector', changed(6, 0xff), /another key/],
    ['a changed ciphertext', changed(18, 0), /another key/],
    ['a changed tag', changed(23, 0), /another key/],
    ['an end cut off', sealed('hello').subarray(0, -1), /length/],
    [
      'an end cut off, of a length that says nothing of it',
      sealed('hello', 12).subarray(0, -1),
      /another key/,
    ],
    ['more cut off', sealed('').subarray(0, -1), /too short/],
    ['nothing', Buffer.alloc(0), /too short/],
    ['too much', sealed(Buffer.alloc(65_536), 12), /too long|base64/],
  ])('with %s is refused', (_what, envelope, message) => {
    expect(() => open(envelope)).toThrow(message);
    expect(() => open(envelope)).toThrow(expect.objectContaining({ code: 'SCONE_ENVELOPE_INVALID' }));
  });

  it('is refused with another key, of which nothing is said', () => {
    expect(() => open(sealed('hello'), Buffer.alloc(32, 8))).toThrow(/another key/);
    expect(() => open(sealed('hello'), KEY.subarray(1))).toThrow(/31 bytes instead of 32/);
    expect(() => openEnvelope('s', 'hello', KEY)).toThrow(/not base64/);
    expect(() => openEnvelope('s', `${sealed('hello').toString('base64')}=`, KEY)).toThrow(/not base64/);
  });
});

describe('a value of a vault', () => {
  const secret = (kind?: SconeSecret['kind']) =>
    ({ name: 's', ...(kind === undefined ? {} : { kind }) }) as SconeSecret;
  const read = (bytes: Buffer | string, kind?: SconeSecret['kind'], contentType?: string) =>
    vaultSecret(secret(kind), Buffer.from(bytes), contentType);

  it('is text, or what its content type says', () => {
    expect(read('text')).toEqual({ kind: 'ascii', text: 'text' });
    expect(read(Buffer.of(0xff), undefined, 'binary')).toEqual({ kind: 'binary', base64: '/w==' });
    expect(read(Buffer.of(0xff), undefined, PKCS12)).toEqual({ kind: 'ascii', text: '/w==' });
    expect(() => read(Buffer.of(0xff))).toThrow(/no text/);
    expect(() => read(Buffer.of(0xff), 'ascii', 'binary')).toThrow(/no text/);
  });

  it('of content type PKCS#1 is an RSA key', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const made = read(privateKey.export({ format: 'der', type: 'pkcs1' }), undefined, 'PKCS#1');
    expect(formatSecret('s', made, 'der', false)).toEqual(
      privateKey.export({ format: 'der', type: 'pkcs8' }),
    );
    expect(() => read('MIIE', undefined, 'PKCS#1')).toThrow(/no RSA key/);
    expect(() => read('MIIE', 'ascii', 'PKCS#1')).toThrow(/PKCS#1 key in its vault, and ascii/);
  });

  it('with certificates in PEM is an x509, in all its formats', async () => {
    const san: string[] = [];
    const given = { migrate: false, san, exportPublic: false, exports: [] };
    const made = await makeSecrets(
      [
        { ...given, name: 'ca', kind: 'x509-ca' },
        { ...given, name: 'tls', kind: 'x509', issuer: 'ca' },
      ],
      new Map(),
      new Date(),
    );
    const of = (name: string, format: string) =>
      formatSecret(name, made.get(name)!, format, false).toString();
    const text = of('tls', 'privatekey') + of('tls', 'crt') + of('ca', 'crt');
    for (const kind of [undefined, 'x509'] as const) {
      const tls = read(text, kind);
      for (const format of ['crt', 'chain', 'privatekey:pem'])
        expect(formatSecret('s', tls, format, false).toString()).toBe(of('tls', format));
    }
    expect(() => formatSecret('s', read(of('tls', 'crt')), 'privatekey', false)).toThrow(
      /without a private key/,
    );
    expect(() => read(of('ca', 'privatekey') + of('tls', 'crt'))).toThrow(
      /not a certificate with its private key/,
    );
    expect(() => read('text', 'x509')).toThrow(/0 certificates/);
    expect(() => read('text', 'private-key')).toThrow(/no private key/);
    expect(() => read('text', 'public-key')).toThrow(/no public key/);
    expect(() => read('text', 'pgp-key')).toThrow(
      expect.objectContaining({ code: 'SCONE_SECRET_NOT_SERVED' }),
    );
  });
});
