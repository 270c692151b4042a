import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { webcrypto, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Extension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import fc from 'fast-check';
import { openCsrEnvelope } from './csr-signature.js';
import { derBitString, derExplicit, derNull, derOid, derSequence, derUnsigned } from './der-writer.js';
import { parseCsr } from './certificate-request.js';
import { toPem } from './certificate-pem.js';
import { MeshCa } from './mesh-ca.js';

// Thousands of requests are parsed, and OpenSSL is started, on a machine that may be busy.
jest.setTimeout(60_000);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'siegel-pki-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A request made by OpenSSL, as an enclave's TLS library would. */
async function opensslRequest(keyArguments: string[], extra: string[] = []): Promise<string> {
  const out = join(dir, 'request.pem');
  const names = ['-addext', 'subjectAltName=DNS:pay.shop.svc,IP:10.0.0.1,URI:spiffe://td/pay'];
  const args = [
    'req',
    '-new',
    '-nodes',
    '-keyout',
    join(dir, 'key.pem'),
    '-out',
    out,
    '-subj',
    '/O=Shop/CN=pay',
    ...names,
  ];
  execFileSync('openssl', [...args, ...keyArguments, ...extra], { stdio: 'pipe' });
  return readFile(out, 'utf8');
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

describe('certificate requests', () => {
  it.each([
    ['P-256', EC],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
    ['P-521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
    ['RSA', ['-newkey', 'rsa:2048']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ])('of OpenSSL with a %s key are read and lead to a leaf of that key', async (kind, keyArguments) => {
    const csr = parseCsr(await opensslRequest(keyArguments));
    expect(csr).toMatchObject({
      commonName: 'pay',
      dns: ['pay.shop.svc'],
      ips: ['10.0.0.1'],
      uris: ['spiffe://td/pay'],
    });
    expect(csr.subject).toBe('O=Shop, CN=pay');
    expect(csr.key.kind).toBe(kind);
    expect(csr.extensions.map(({ oid }) => oid)).toContain('2.5.29.17');
    const ca = await MeshCa.open({ trustDomain: 'td' });
    const leaf = await ca.issueLeaf({ spki: csr.key, dns: csr.dns, ttlSeconds: 600, now: new Date() });
    const pem = await readFile(join(dir, 'key.pem'), 'utf8');
    const { createPrivateKey } = await import('node:crypto');
    expect(new X509Certificate(leaf.certificatePem).checkPrivateKey(createPrivateKey(pem))).toBe(true);
  });

  it('carry a wrapper’s evidence in an extension', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const quote = Buffer.alloc(5000, 7);
    const made = await Pkcs10CertificateRequestGenerator.create({
      keys: keys as never,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new Extension('1.2.840.113741.1.13.1.99', false, quote),
        new SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.b' }]),
      ],
    });
    const csr = parseCsr(Buffer.from(made.rawData));
    expect(csr.subject).toBe('');
    expect(csr.commonName).toBeUndefined();
    expect(csr.extensions.find(({ oid }) => oid === '1.2.840.113741.1.13.1.99')).toEqual({
      oid: '1.2.840.113741.1.13.1.99',
      critical: false,
      value: quote,
    });
    await expect(async () => parseCsr(Buffer.from(made.rawData), { maxBytes: 5000 })).rejects.toMatchObject({
      code: 'CSR_TOO_LARGE',
    });
    await expect(async () => parseCsr(made.toString('pem'), { maxBytes: 3000 })).rejects.toMatchObject({
      code: 'CSR_TOO_LARGE',
    });
  });

  it('are taken as DER, as PEM bytes, and under the old label', async () => {
    const pem = await opensslRequest(EC);
    const { der } = parseCsr(pem);
    await expect(async () => parseCsr(der)).resolves.toMatchObject({ commonName: 'pay' });
    await expect(async () => parseCsr(Buffer.from(pem))).resolves.toMatchObject({ commonName: 'pay' });
    await expect(async () => parseCsr(toPem('NEW CERTIFICATE REQUEST', der))).resolves.toMatchObject({
      commonName: 'pay',
    });
  });

  it('that are not exactly one request are refused', async () => {
    const pem = await opensslRequest(EC);
    const { der } = parseCsr(pem);
    const cases: (string | Uint8Array)[] = [
      '',
      'x',
      pem + pem,
      pem.replace('END CERTIFICATE REQUEST', 'END X'),
      pem.slice(0, -60),
      toPem('CERTIFICATE', der),
    ];
    const bytes = [
      Buffer.alloc(0),
      Buffer.from([0x30]),
      Buffer.from([0x30, 0x80, 0, 0]),
      Buffer.concat([der, Buffer.of(0)]),
      der.subarray(0, -1),
      Buffer.from([0x30, 0x00]),
    ];
    for (const bad of [...cases, ...bytes])
      await expect(async () => parseCsr(bad)).rejects.toMatchObject({ code: 'CSR_MALFORMED' });
  });

  it('whose signature is not by their own key are refused', async () => {
    const one = parseCsr(await opensslRequest(EC));
    const two = parseCsr(await opensslRequest(EC));
    const at = one.der.indexOf(one.key.spki);
    const swapped = Buffer.concat([
      one.der.subarray(0, at),
      two.key.spki,
      one.der.subarray(at + two.key.spki.length),
    ]);
    await expect(async () => parseCsr(swapped)).rejects.toMatchObject({ code: 'CSR_SIGNATURE_INVALID' });
  });

  it('with a refused key are refused by the code of the key', async () => {
    await expect(async () =>
      parseCsr(await opensslRequest(['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'])),
    ).rejects.toMatchObject({ code: 'KEY_UNSUPPORTED' });
    await expect(async () => parseCsr(await opensslRequest(['-newkey', 'rsa:1024']))).rejects.toMatchObject({
      code: 'KEY_WEAK',
    });
  });

  it('with bits of any byte changed end in a typed error, never in another one, and are never accepted', async () => {
    const { der } = parseCsr(await opensslRequest(EC));
    const outcomeOf = (bytes: Uint8Array): string => {
      try {
        parseCsr(bytes);
        return 'accepted';
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      }
    };
    for (let at = 0; at < der.length; at += 1) {
      for (const flip of [1, 8, 128, 0x86]) {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const outcome = outcomeOf(changed);
        if (!/^(CSR_|KEY_)/.test(outcome)) expect([at, flip, outcome]).toEqual([at, flip, 'refused']);
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => expect(outcomeOf(bytes)).toMatch(/^CSR_/)),
    );
    // Nested as deep as the limit of size allows.
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 12_000; depth += 1) nested = derSequence(nested.subarray(0, 60_000));
    expect(outcomeOf(nested)).toMatch(/^CSR_/);
    const info = derSequence(
      derUnsigned(Buffer.of(0)),
      derSequence(),
      parseCsr(der).key.spki,
      derExplicit(0, nested),
    );
    const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
    expect(outcomeOf(derSequence(info, algorithm, derBitString(Buffer.alloc(70))))).toMatch(/^CSR_/);
  });

  it('signed with another algorithm than fits the key, or with a spelling that is not DER, are refused', async () => {
    const { der, key } = parseCsr(await opensslRequest(EC));
    const { info = Buffer.alloc(0), signature = Buffer.alloc(0) } = openCsrEnvelope(der) ?? {};
    const again = (oid: string, bits: Buffer, ...parameters: Buffer[]): Buffer =>
      derSequence(info, derSequence(derOid(oid), ...parameters), derBitString(bits));
    const accepted = again('1.2.840.10045.4.3.2', signature);
    expect(accepted).toEqual(der);
    expect(parseCsr(accepted).key.thumbprint).toBe(key.thumbprint);
    const padded = Buffer.concat([Buffer.of(0x30, 0x81, signature[1] ?? 0), signature.subarray(2)]);
    const bad = [
      again('1.2.840.10045.4.3.3', signature),
      again('1.2.840.10045.4.3.1', signature),
      again('1.2.840.113549.1.1.11', signature, derNull),
      again('1.3.101.112', signature),
      again('1.2.840.10045.4.3.2', signature, derNull),
      again('1.2.840.10045.4.3.2', padded),
      again('1.2.840.10045.4.3.2', Buffer.concat([signature, Buffer.of(0)])),
      again('1.2.840.10045.4.3.2', Buffer.alloc(0)),
    ];
    for (const one of bad)
      expect(() => parseCsr(one)).toThrow(expect.objectContaining({ code: 'CSR_SIGNATURE_INVALID' }));
  });
});
