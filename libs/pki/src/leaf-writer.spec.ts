import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate as NodeCertificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from '@peculiar/x509';
import fc from 'fast-check';
import { createAuthorityCertificate } from './certificate-authority.js';
import type { AuthorityCertificate } from './certificate-authority.js';
import { toPem } from './certificate-pem.js';
import type { KeyKind } from './key-kinds.js';
import { LeafWriter } from './leaf-writer.js';
import { PublicKey } from './public-key.js';
import { LocalSigner } from './signer.js';
import { checkSubjectNames } from './subject-names.js';
import type { RequestedNames } from './subject-names.js';

// Thousands of operations on a machine that may be busy.
jest.setTimeout(60_000);

const START = new Date('2026-01-01T00:00:00Z');
const END = new Date('2076-01-01T00:00:00Z');
const signer = LocalSigner.generate();
const keys = {} as Record<KeyKind, PublicKey>;
let root: AuthorityCertificate;
let issuer: AuthorityCertificate;
let writer: LeafWriter;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'siegel-pki-'));
  const rootSigner = LocalSigner.generate();
  const common = { trustDomain: 'td', notBefore: START, notAfter: END, signer: rootSigner };
  root = await createAuthorityCertificate({
    ...common,
    role: 'root',
    subjectKey: PublicKey.fromKeyObject(rootSigner.publicKey),
  });
  issuer = await createAuthorityCertificate({
    ...common,
    role: 'intermediate',
    subjectKey: PublicKey.fromKeyObject(signer.publicKey),
    issuer: root,
  });
  writer = new LeafWriter(signer, issuer.subject, issuer.keyIdentifier);
  const generated: [KeyKind, KeyObject][] = [
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey],
  ];
  for (const [kind, key] of generated) keys[kind] = PublicKey.fromKeyObject(key);
  await writeFile(join(dir, 'root.pem'), root.pem);
  await writeFile(join(dir, 'intermediate.pem'), issuer.pem);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const names: fc.Arbitrary<RequestedNames> = fc
  .record({
    dns: fc.array(
      fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
      { maxLength: 8 },
    ),
    ips: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 4 }),
    path: fc.option(fc.array(fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/), { minLength: 1, maxLength: 4 })),
  })
  .map(({ dns, ips, path }) => ({
    dns,
    ips,
    ...(path === null ? {} : { spiffeId: `spiffe://td/${path.join('/')}` }),
  }))
  .filter(({ dns, ips, spiffeId }) => dns.length + ips.length > 0 || spiffeId !== undefined);
const moment = fc.integer({ min: START.getTime() / 1000, max: END.getTime() / 1000 - 1 });
const leaf = fc.record({
  kind: fc.constantFrom<KeyKind>('P-256', 'P-384', 'P-521', 'Ed25519', 'RSA'),
  names,
  commonName: fc.option(
    fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((text) => !/\p{C}/u.test(text)),
  ),
  from: moment,
  life: fc.integer({ min: 1, max: 1e9 }),
});

describe('leaf certificates', () => {
  it('are read by an independent implementation exactly as they were written, for any content', async () => {
    await fc.assert(
      fc.asyncProperty(leaf, async (content) => {
        const key = keys[content.kind];
        const subjectNames = checkSubjectNames(content.names, 'td');
        const notBefore = new Date(content.from * 1000);
        const notAfter = new Date(Math.min((content.from + content.life) * 1000, END.getTime()));
        const written = await writer.write({
          key,
          names: subjectNames,
          notBefore,
          notAfter,
          ...(content.commonName === null ? {} : { commonName: content.commonName }),
        });
        const parsed = new X509Certificate(new Uint8Array(written.der));
        // Parsed and encoded again by that implementation, the bytes are the same: the encoding is DER.
        expect(Buffer.from(parsed.rawData).equals(written.der)).toBe(true);
        expect(parsed.serialNumber.toLowerCase()).toBe(written.serial);
        expect([parsed.notBefore, parsed.notAfter]).toEqual([notBefore, notAfter]);
        expect(parsed.subjectName.getField('CN')).toEqual(
          content.commonName === null ? [] : [content.commonName],
        );
        expect(Buffer.from(parsed.publicKey.rawData).equals(key.spki)).toBe(true);
        expect(Buffer.from(parsed.issuerName.toArrayBuffer()).equals(issuer.subject)).toBe(true);
        expect(parsed.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: false, critical: true });
        expect(parsed.getExtension(KeyUsagesExtension)).toMatchObject({
          usages:
            content.kind === 'RSA'
              ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment
              : KeyUsageFlags.digitalSignature,
          critical: true,
        });
        expect(parsed.getExtension(ExtendedKeyUsageExtension)?.usages).toEqual([
          '1.3.6.1.5.5.7.3.1',
          '1.3.6.1.5.5.7.3.2',
        ]);
        expect(parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId).toBe(
          key.keyIdentifier.toString('hex'),
        );
        expect(parsed.getExtension(AuthorityKeyIdentifierExtension)?.keyId).toBe(
          issuer.keyIdentifier.toString('hex'),
        );
        const san = parsed.getExtension(SubjectAlternativeNameExtension);
        expect(san?.critical).toBe(content.commonName === null);
        const { dns = [], ips = [], spiffeId } = content.names;
        const found = san?.names.toJSON() ?? [];
        expect(found.filter(({ type }) => type === 'dns').map(({ value }) => value)).toEqual(dns);
        expect(found.filter(({ type }) => type === 'ip')).toHaveLength(ips.length);
        expect(found.filter(({ type }) => type === 'url').map(({ value }) => value)).toEqual(
          spiffeId === undefined ? [] : [spiffeId],
        );
        expect(found).toHaveLength(dns.length + ips.length + (spiffeId === undefined ? 0 : 1));

        const node = new NodeCertificate(written.der);
        expect(node.verify(issuer.key.keyObject)).toBe(true);
        expect(node.checkIssued(new NodeCertificate(issuer.der))).toBe(true);
        for (const ip of ips) expect(node.checkIP(ip)).toBeDefined();
      }),
      { numRuns: 150 },
    );
  });

  it.each(['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA'] as const)(
    'of a %s key pass openssl verify -x509_strict for both purposes',
    async (kind) => {
      for (const [index, content] of [
        {
          names: { dns: ['a.b', '*.c.d'], ips: ['10.0.0.1', '::1'], spiffeId: 'spiffe://td/a' },
          commonName: 'a.b',
        },
        { names: { spiffeId: 'spiffe://td/only' }, commonName: undefined },
      ].entries()) {
        const { commonName } = content;
        const written = await writer.write({
          key: keys[kind],
          names: checkSubjectNames(content.names, 'td'),
          notBefore: START,
          notAfter: new Date('2060-01-01T00:00:00Z'),
          ...(commonName === undefined ? {} : { commonName }),
        });
        const file = join(dir, `${kind}-${index}.pem`);
        await writeFile(file, toPem('CERTIFICATE', written.der));
        for (const purpose of ['sslserver', 'sslclient']) {
          const at = String(new Date('2055-06-01T00:00:00Z').getTime() / 1000);
          const args = [
            'verify',
            '-x509_strict',
            '-purpose',
            purpose,
            '-attime',
            at,
            '-CAfile',
            join(dir, 'root.pem'),
          ];
          const out = execFileSync('openssl', [...args, '-untrusted', join(dir, 'intermediate.pem'), file], {
            encoding: 'utf8',
          });
          expect(out).toBe(`${file}: OK\n`);
        }
      }
    },
  );

  it('with any bit changed are not accepted as signed', async () => {
    const written = await writer.write({
      key: keys['P-256'],
      names: checkSubjectNames({ dns: ['a.b'] }, 'td'),
      notBefore: START,
      notAfter: END,
    });
    for (let at = 0; at < written.der.length; at += 1) {
      const changed = Buffer.from(written.der);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at & 7));
      let valid = false;
      try {
        valid = new NodeCertificate(changed).verify(issuer.key.keyObject);
      } catch {
        // Not even a certificate any more.
      }
      expect([at, valid]).toEqual([at, false]);
    }
  });

  it('are not written by a signer of another kind', () => {
    expect(() => new LeafWriter(LocalSigner.generate('EdDSA'), issuer.subject, issuer.keyIdentifier)).toThrow(
      expect.objectContaining({ code: 'KEY_NOT_USABLE' }),
    );
  });
});
