import 'reflect-metadata';
import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  randomBytes,
  sign,
  verify,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { compactDecrypt, CompactEncrypt, jwtVerify, SignJWT } from 'jose';
import {
  ChallengeMinter,
  createDpopProof,
  LocalSigner,
  MeshCa,
  openJwe,
  PublicKey,
  ReplayCache,
  sealJwe,
  signJwt,
  verifyDpopProof,
  verifyJwt,
} from '#pki';

/** One thing that is measured; `group` puts alternatives for the same job beside each other. */
export interface BenchCase {
  group: string;
  name: string;
  operations: number;
  call: () => unknown;
}

/** All cases, over keys that are made here. */
export async function benchCases(): Promise<BenchCase[]> {
  return [
    ...rawCases(),
    ...(await leafCases()),
    ...(await tokenCases()),
    ...(await sealCases()),
    ...(await proofCases()),
  ];
}

const now = new Date();
const iat = Math.floor(now.getTime() / 1000);
const claims = {
  iss: 'siegel',
  aud: 'mesh',
  sub: 'payments',
  iat,
  nbf: iat,
  exp: iat + 900,
  jti: 'x',
  cnf: { jkt: 'y'.repeat(43) },
  siegel: { tee: 'sgx', mrenclave: 'ab'.repeat(32), tcbStatus: 'UpToDate' },
};
const enclave = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = enclave.publicKey.export({ type: 'spki', format: 'der' });

/** What OpenSSL itself takes here: the floor under everything below. */
function rawCases(): BenchCase[] {
  const data = randomBytes(500);
  const { privateKey, publicKey } = enclave;
  const raw = { dsaEncoding: 'ieee-p1363' as const };
  const der = sign('sha256', data, privateKey);
  const fixed = sign('sha256', data, { key: privateKey, ...raw });
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const group = 'raw node:crypto';
  return [
    { group, name: 'ECDSA P-256 sign, DER', operations: 2000, call: () => sign('sha256', data, privateKey) },
    {
      group,
      name: 'ECDSA P-256 sign, ieee-p1363',
      operations: 2000,
      call: () => sign('sha256', data, { key: privateKey, ...raw }),
    },
    {
      group,
      name: 'ECDSA P-256 verify, DER',
      operations: 2000,
      call: () => verify('sha256', data, publicKey, der),
    },
    {
      group,
      name: 'ECDSA P-256 verify, ieee-p1363',
      operations: 2000,
      call: () => verify('sha256', data, { key: publicKey, ...raw }, fixed),
    },
    {
      group,
      name: 'P-256 key generation',
      operations: 2000,
      call: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    },
    {
      group,
      name: 'P-256 key agreement',
      operations: 2000,
      call: () => diffieHellman({ privateKey: ephemeral.privateKey, publicKey }),
    },
    {
      group,
      name: 'import of an SPKI',
      operations: 2000,
      call: () => createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    },
    { group, name: 'SHA-256 of 500 octets', operations: 20_000, call: () => hash('sha256', data, 'buffer') },
  ];
}

async function leafCases(): Promise<BenchCase[]> {
  const ca = await MeshCa.open({ trustDomain: 'shop.example' });
  const key = PublicKey.fromSpki(spki);
  const names = { dns: ['payments.shop.svc', 'payments'], spiffeId: 'spiffe://shop.example/payments' };
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const issuer = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const generated = (): Promise<unknown> =>
    x509.X509CertificateGenerator.create({
      serialNumber: randomBytes(16).toString('hex'),
      subject: [{ CN: ['payments.shop.svc'] }],
      issuer: [{ O: ['shop.example'] }, { CN: ['intermediate'] }],
      notBefore: now,
      notAfter: new Date(now.getTime() + 86_400_000),
      signingAlgorithm: algorithm,
      publicKey: new Uint8Array(spki),
      signingKey: issuer.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
        new x509.SubjectKeyIdentifierExtension('ab'.repeat(20)),
        new x509.AuthorityKeyIdentifierExtension('cd'.repeat(20)),
        new x509.SubjectAlternativeNameExtension([
          ...names.dns.map((value) => ({ type: 'dns' as const, value })),
          { type: 'url', value: names.spiffeId },
        ]),
      ],
    });
  const group = 'leaf certificate';
  return [
    {
      group,
      name: 'Siegel, key already accepted',
      operations: 1000,
      call: () => ca.issueLeaf({ spki: key, ...names, ttlSeconds: 3600, now }),
    },
    {
      group,
      name: 'Siegel, from SPKI octets',
      operations: 1000,
      call: () => ca.issueLeaf({ spki, ...names, ttlSeconds: 3600, now }),
    },
    { group, name: '@peculiar/x509 generator', operations: 200, call: generated },
  ];
}

async function tokenCases(): Promise<BenchCase[]> {
  const signer = LocalSigner.generate();
  const typ = 'eat+jwt';
  const token = await signJwt(claims, signer, { typ });
  const { privateKey, publicKey } = enclave;
  const theirs = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ }).sign(privateKey);
  const keys = { alg: 'ES256' as const, key: signer.publicKey, kid: signer.kid };
  const expected = { issuer: 'siegel', audience: 'mesh' };
  return [
    { group: 'JWT sign', name: 'Siegel', operations: 2000, call: () => signJwt(claims, signer, { typ }) },
    {
      group: 'JWT sign',
      name: 'jose',
      operations: 2000,
      call: () => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ }).sign(privateKey),
    },
    {
      group: 'JWT verify',
      name: 'Siegel',
      operations: 2000,
      call: () => verifyJwt(token, { keys, typ, ...expected, now }),
    },
    {
      group: 'JWT verify',
      name: 'jose',
      operations: 2000,
      call: () => jwtVerify(theirs, publicKey, { algorithms: ['ES256'], typ, ...expected, currentDate: now }),
    },
  ];
}

async function sealCases(): Promise<BenchCase[]> {
  const key = PublicKey.fromSpki(spki);
  const { privateKey, publicKey } = enclave;
  const plaintext = randomBytes(2048);
  const header = { alg: 'ECDH-ES', enc: 'A256GCM' };
  const token = sealJwe(plaintext, key);
  const sealedByJose = (): Promise<string> =>
    new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(publicKey);
  const theirs = await sealedByJose();
  return [
    { group: 'JWE seal, 2 KiB', name: 'Siegel', operations: 1000, call: () => sealJwe(plaintext, key) },
    { group: 'JWE seal, 2 KiB', name: 'jose', operations: 1000, call: sealedByJose },
    { group: 'JWE open, 2 KiB', name: 'Siegel', operations: 1000, call: () => openJwe(token, privateKey) },
    {
      group: 'JWE open, 2 KiB',
      name: 'jose',
      operations: 1000,
      call: () => compactDecrypt(theirs, privateKey),
    },
  ];
}

async function proofCases(): Promise<BenchCase[]> {
  const { privateKey } = enclave;
  const request = { method: 'GET', url: 'https://siegel.example/v1/release', now };
  const proof = await createDpopProof({ privateKey, ...request });
  const minter = new ChallengeMinter({ keys: [randomBytes(32)], ttlSeconds: 60 });
  const { challenge } = minter.mint(now);
  // A fresh cache each time: the same proof would be a replay, and making one for each call is measured by itself.
  const verifyOnce = (): Promise<unknown> =>
    verifyDpopProof({ proof, ...request, replay: new ReplayCache({ maxEntries: 1 }) });
  return [
    { group: 'DPoP', name: 'verify a proof', operations: 1000, call: verifyOnce },
    {
      group: 'DPoP',
      name: 'create a proof',
      operations: 1000,
      call: () => createDpopProof({ privateKey, ...request }),
    },
    { group: 'challenge', name: 'mint', operations: 5000, call: () => minter.mint(now) },
    { group: 'challenge', name: 'check', operations: 5000, call: () => minter.check(challenge, now) },
    { group: 'bound key', name: 'accept an SPKI', operations: 2000, call: () => PublicKey.fromSpki(spki) },
    {
      group: 'bound key',
      name: 'thumbprint of an accepted key',
      operations: 5000,
      call: () => PublicKey.fromSpki(spki).thumbprint,
    },
  ];
}
