import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPrivateKey, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import type { CertificateTemplate, CertifiedKey, SecretDefinition, SecretType } from '../interface.js';
import { createAuthority } from '../state/authority.js';
import { ipOctets } from './certificate-writer.js';
import { type EcBits, generateEcKeyPair } from './ec-key-encoding.js';
import { generateEd25519KeyPair, type KeyPair } from './key-pair.js';
import { RsaKeyPool } from './rsa-key-pool.js';
import { SecretGenerator } from './secret-generator.js';

jest.setTimeout(60_000);

const TEMPLATE: CertificateTemplate = {
  subject: {
    commonName: '',
    serialNumber: '',
    country: [],
    organization: [],
    organizationalUnit: [],
    locality: [],
    province: [],
    streetAddress: [],
    postalCode: [],
  },
  serialNumber: undefined,
  notBefore: undefined,
  notAfter: undefined,
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  keyUsage: 0,
  extKeyUsage: [],
  isCa: false,
  maxPathLen: undefined,
};
const secret = (type: SecretType, size: number, more: Partial<SecretDefinition> = {}): SecretDefinition => ({
  type,
  size,
  shared: true,
  userDefined: false,
  cert: undefined,
  validFor: 0,
  source: undefined,
  ...more,
});
const DAY = 86_400_000;

describe('secrets that the coordinator makes', () => {
  let issuer: CertifiedKey;
  const pool = new RsaKeyPool({ ready: 0, parallel: 1, sizes: 0 });
  const generator = new SecretGenerator(pool);
  beforeAll(async () => {
    issuer = (await createAuthority('P-256', ['localhost'], new Date())).marbleRoot;
  });
  afterAll(() => pool.close());

  it.each<[SecretType, number, string]>([
    ['cert-ecdsa', 224, 'ec'],
    ['cert-ecdsa', 256, 'ec'],
    ['cert-ecdsa', 384, 'ec'],
    ['cert-ecdsa', 521, 'ec'],
    ['cert-ed25519', 0, 'ed25519'],
    ['cert-rsa', 2048, 'rsa'],
  ])('%s %i: key pair and certificate belong together', async (type, size, kind) => {
    const made = await generator.shared('s', secret(type, size), issuer);
    const key = createPrivateKey({ key: made.private, format: 'der', type: 'pkcs8' });
    const certificate = new X509Certificate(made.certificate);
    expect(key.asymmetricKeyType).toBe(kind);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(made.public);
    expect(certificate.verify(createPublicKey(issuer.privateKey))).toBe(true);
    expect(certificate.checkIssued(new X509Certificate(issuer.certificate))).toBe(true);
    if (kind === 'rsa') expect(key.asymmetricKeyDetails?.modulusLength).toBe(size);
    const hash = kind === 'ed25519' ? null : 'sha256';
    expect(verify(hash, Buffer.from('x'), certificate.publicKey, sign(hash, Buffer.from('x'), key))).toBe(
      true,
    );
  });

  it.each([224, 256, 384, 521] as EcBits[])('P-%i keys are encoded as OpenSSL encodes them', (bits) => {
    for (let at = 0; at < 20; at++) {
      const { privateKey, publicKey } = generateEcKeyPair(bits);
      const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
      expect(key.export({ type: 'pkcs8', format: 'der' })).toEqual(privateKey);
      expect(createPublicKey(key).export({ type: 'spki', format: 'der' })).toEqual(publicKey);
    }
  });

  it('certificates have the defaults of upstream', async () => {
    const { certificate } = await generator.shared('s', secret('cert-ed25519', 0), issuer);
    const made = new X509Certificate(certificate);
    expect(made.subject).toBe('CN=localhost');
    expect(made.issuer).toBe('CN=MarbleRun Coordinator - Intermediate CA');
    expect(made.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(made.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(made.ca).toBe(false);
    expect(made.serialNumber.length).toBeGreaterThan(24);
    expect(Date.parse(made.validTo) - Date.parse(made.validFrom)).toBe(365 * DAY);
    // KeyUsage: digitalSignature, certSign, as in the recorded certificates.
    expect(certificate.includes(Buffer.from('0603551d0f0101ff040403020284', 'hex'))).toBe(true);
  });

  it('certificates follow their template', async () => {
    const cert: CertificateTemplate = {
      ...TEMPLATE,
      subject: { ...TEMPLATE.subject, commonName: 'Zürich', organization: ['b', 'a'], country: ['CH'] },
      dnsNames: ['a.example', '*.b.example'],
      ipAddresses: ['10.1.2.3', 'fd00::1'],
      emailAddresses: ['x@a.example'],
      keyUsage: 1 | 32 | 256,
      extKeyUsage: [3],
      isCa: true,
      maxPathLen: 1,
      serialNumber: 4_711n,
    };
    const { certificate } = await generator.shared(
      's',
      secret('cert-ecdsa', 256, { cert, validFor: 7 }),
      issuer,
    );
    const made = new X509Certificate(certificate);
    expect(made.subject).toBe('C=CH\nO=a + O=b\nCN=Zürich');
    expect(made.subjectAltName).toBe(
      'DNS:a.example, DNS:*.b.example, email:x@a.example, IP Address:10.1.2.3, IP Address:FD00:0:0:0:0:0:0:1',
    );
    expect([made.ca, made.serialNumber, made.keyUsage]).toEqual([true, '1267', ['1.3.6.1.5.5.7.3.3']]);
    expect(Date.parse(made.validTo) - Date.parse(made.validFrom)).toBe(7 * DAY);
    expect(certificate.includes(Buffer.from('0303078480', 'hex'))).toBe(true);
  });

  it('two names and no common name give the name that upstream gives', async () => {
    const cert = { ...TEMPLATE, dnsNames: ['a', 'b'], notAfter: new Date('2060-01-02T03:04:05Z') };
    const made = new X509Certificate(
      (await generator.shared('s', secret('cert-ecdsa', 384, { cert }), issuer)).certificate,
    );
    expect(made.subject).toBe('CN=MarbleRun Generated Certificate');
    expect(new Date(made.validTo).toISOString()).toBe('2060-01-02T03:04:05.000Z');
  });

  it('a coordinator with P-384 keys signs with SHA-384', async () => {
    const { marbleRoot } = await createAuthority('P-384', ['localhost'], new Date());
    const { certificate } = await generator.shared('s', secret('cert-ed25519', 0), marbleRoot);
    expect(new X509Certificate(certificate).verify(createPublicKey(marbleRoot.privateKey))).toBe(true);
    expect(certificate.includes(Buffer.from('2a8648ce3d040303', 'hex'))).toBe(true);
  });

  it('symmetric ones: shared at random, private derived', async () => {
    const definition = secret('symmetric-key', 256);
    const [a, b] = [
      await generator.shared('s', definition, issuer),
      await generator.shared('s', definition, issuer),
    ];
    expect(a!.private).toHaveLength(32);
    expect(a!.private.equals(b!.private)).toBe(false);
    expect(a!.public).toEqual(a!.private);
    const owner = { rootSecret: Buffer.alloc(32), uuid: 'u', marbleType: 't', unbound: false };
    const one = await generator.private('s', definition, issuer, owner);
    expect(await generator.private('s', definition, issuer, owner)).toEqual(one);
    expect(
      (await generator.private('s', definition, issuer, { ...owner, uuid: 'v' })).private.equals(one.private),
    ).toBe(false);
  });

  it('what cannot be made is refused', async () => {
    for (const [type, size] of [
      ['plain', 0],
      ['cert-ecdsa', 255],
    ] as const)
      await expect(generator.shared('s', secret(type, size), issuer)).rejects.toMatchObject({
        code: 'SECRET_UNUSABLE',
      });
  });
});

describe('IP addresses of certificates', () => {
  it.each([
    ['127.0.0.1', '7f000001'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00:1::2:3', 'fd000001000000000000000000020003'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::', '00'.repeat(16)],
  ])('%s', (address, hex) => {
    expect(ipOctets(address).toString('hex')).toBe(hex);
  });
  it.each(['', 'a.b', '1.2.3', 'fe80::1%eth0', '1.2.3.400'])('refuses %j', (address) => {
    expect(() => ipOctets(address)).toThrow(RangeError);
  });
});

describe('RSA keys made ahead', () => {
  const made = (): KeyPair[] => [];
  it('are handed out once each, kept for sizes that were asked for, and not made by more threads than allowed', async () => {
    const all = made();
    let running = 0;
    let most = 0;
    const generate = async (bits: number): Promise<KeyPair> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      const pair = { ...generateEd25519KeyPair(), bits };
      all.push(pair);
      return pair;
    };
    const pool = new RsaKeyPool({ ready: 3, parallel: 2, sizes: 1, generate });
    const taken = await Promise.all(Array.from({ length: 10 }, () => pool.take(2048)));
    expect(new Set(taken).size).toBe(10);
    const other = await pool.take(3072);
    expect(other).toMatchObject({ bits: 3072 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(all.length).toBe(10 + 1 + 3);
    const later = await pool.take(2048);
    expect(taken).not.toContain(later);
    expect(most).toBe(2);
    pool.close();
    await pool.take(2048);
  });

  it('a failure is told to whoever waits, and the next works', async () => {
    let calls = 0;
    const pool = new RsaKeyPool({
      ready: 0,
      parallel: 1,
      sizes: 1,
      generate: () =>
        calls++ === 0 ? Promise.reject(new Error('no entropy')) : Promise.resolve(generateEd25519KeyPair()),
    });
    const first = pool.take(2048);
    const second = pool.take(2048);
    await expect(first).rejects.toThrow('no entropy');
    expect((await second).publicKey.length).toBeGreaterThan(0);
  });
});
