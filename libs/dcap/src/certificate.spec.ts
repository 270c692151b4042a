import { describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { SimulatedSgx } from '#simulator';
import { parseCertificate } from './certificate.js';
import { claimedRole } from './certificate-role.js';
import { collateralKeyOf, CollateralKeys } from './collateral-key.js';
import { parseCrl } from './crl.js';
import { formatName } from './distinguished-name.js';
import { DcapError } from './error.js';
import { splitPemChain } from './pem.js';
import { parseQuote } from './quote.js';
import { parsePckCertificate } from './sgx-extension.js';
import { INTEL_SGX_ROOT, trustAnchorFromPem } from './trust-anchor.js';

const sgx = SimulatedSgx.create({ seed: 'certificates', now: new Date('2026-06-01T00:00:00Z') });
const platform = sgx.platform({ name: 'p', fmspc: '00906ED50000', pceId: '0a0b' });
const ders = splitPemChain(platform.chainPem);
const [leaf = Buffer.alloc(0), , root = Buffer.alloc(0)] = ders;

const own = (read: () => unknown): void => {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(DcapError);
    expect((error as DcapError).code).not.toBe('INTERNAL_ERROR');
  }
};

describe('parseCertificate', () => {
  it('agrees with OpenSSL on every certificate of the chain', () => {
    for (const der of ders) {
      const ours = parseCertificate(der);
      const theirs = new X509Certificate(der);
      expect(ours.serial).toBe(theirs.serialNumber.toLowerCase().replace(/^0+(?=.)/, ''));
      expect(ours.notBefore).toBe(Date.parse(theirs.validFrom));
      expect(ours.notAfter).toBe(Date.parse(theirs.validTo));
      expect(ours.spki).toEqual(theirs.publicKey.export({ type: 'spki', format: 'der' }));
      expect(formatName(ours.subject).split(', ').sort()).toEqual(theirs.subject.split('\n').sort());
      expect(ours.extensions.basicConstraints?.ca === true).toBe(theirs.ca);
    }
    expect(ders.map((der) => claimedRole(parseCertificate(der)))).toEqual(['pck', 'platform-ca', 'root']);
  });

  it('reads the SGX extension', () => {
    const { sgx: extension } = parsePckCertificate(leaf);
    expect(extension).toMatchObject({
      fmspc: '00906ed50000',
      pceId: '0a0b',
      pceSvn: platform.description.pceSvn,
    });
    expect(extension.cpuSvn).toEqual(platform.description.cpuSvn);
    expect(extension.ppid.length).toBe(16);
    expect(extension.platformInstanceId?.length).toBe(16);
    expect(Object.keys(extension.configuration ?? {})).toEqual([
      'dynamicPlatform',
      'cachedKeys',
      'smtEnabled',
    ]);
    expect(() => parsePckCertificate(root)).toThrow(
      expect.objectContaining({ code: 'SGX_EXTENSION_INVALID' }),
    );
  });

  it('refuses bytes after the certificate and certificates that are too large', () => {
    expect(() => parseCertificate(Buffer.concat([leaf, Buffer.from([0])]))).toThrow(
      expect.objectContaining({ code: 'DER_INVALID' }),
    );
    expect(() => parseCertificate(Buffer.alloc(9000, 0x30))).toThrow(
      expect.objectContaining({ code: 'CERT_INVALID' }),
    );
  });

  it('throws nothing but its own error for any change', () => {
    const edits = fc.array(fc.tuple(fc.nat(leaf.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, (changes) => {
        const changed = Buffer.from(leaf);
        for (const [at, value] of changes) changed[at] = value;
        own(() => parsePckCertificate(changed));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('parseCrl', () => {
  const bundle = sgx.collateral({
    platform,
    revokedPcks: [Buffer.from('00ff', 'hex'), Buffer.alloc(20, 0x7e)],
  });
  const crl = Buffer.from(bundle.pck_crl, 'hex');

  it('reads serials as integers', () => {
    expect([...parseCrl(crl).revoked].sort()).toEqual(['7e'.repeat(20), 'ff']);
    expect(parseCrl(Buffer.from(bundle.root_ca_crl, 'hex')).revoked.size).toBe(0);
  });

  it('has a bound', () => {
    expect(() => parseCrl(Buffer.alloc(1024 * 1024 + 1))).toThrow(
      expect.objectContaining({ code: 'CRL_INVALID' }),
    );
  });

  it('throws nothing but its own error for any change', () => {
    fc.assert(
      fc.property(fc.nat(crl.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(crl);
        changed[at] = value;
        own(() => parseCrl(changed));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('trust anchors', () => {
  it("pins Intel's key, which both of its root certificates have", () => {
    expect(INTEL_SGX_ROOT.publicKey.toString('hex', 26)).toBe(
      '040ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
    );
    expect(INTEL_SGX_ROOT.simulated).toBe(false);
  });

  it('are made of a root certificate only', () => {
    expect(trustAnchorFromPem(sgx.rootPem, { id: 'x', simulated: true }).publicKey).toEqual(
      parseCertificate(root).spki,
    );
    expect(() => trustAnchorFromPem(platform.pck.pem, { id: 'x', simulated: true })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    expect(() => trustAnchorFromPem('', { id: 'x', simulated: true })).toThrow(
      expect.objectContaining({ code: 'PEM_INVALID' }),
    );
  });
});

describe('collateralKeyOf', () => {
  const key = { tee: 'sgx', fmspc: '00906ed50000', ca: 'platform', pceId: '0a0b' };
  const quoteOf = (certificationType: 1 | 2 | 3 | 4 | 5) => parseQuote(platform.quote({ certificationType }));

  it('says which collateral a quote needs', () => {
    expect(collateralKeyOf(quoteOf(5))).toEqual(key);
    expect(collateralKeyOf(quoteOf(4))).toEqual(key);
    expect(collateralKeyOf(parseQuote(platform.quote({ tee: 'tdx', version: 4 })))).toEqual({
      ...key,
      tee: 'tdx',
    });
    const processor = sgx.platform({ ca: 'processor' });
    expect(collateralKeyOf(parseQuote(processor.quote())).ca).toBe('processor');
  });

  it.each([1, 2, 3] as const)('needs the PCK to be looked up for type %i', (type) => {
    expect(() => collateralKeyOf(quoteOf(type))).toThrow(
      expect.objectContaining({ code: 'PCK_LOOKUP_REQUIRED' }),
    );
    expect(collateralKeyOf(quoteOf(type), platform.chainPem)).toEqual(key);
  });

  it('is remembered by certification data', () => {
    const keys = new CollateralKeys(2);
    const first = keys.of(quoteOf(5));
    expect(keys.of(quoteOf(5))).toBe(first);
    expect(() => keys.of(quoteOf(1))).toThrow(DcapError);
  });
});
