import { derOid, derSequence, PublicKey, toPem } from '#pki';
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { EXTENDED_KEY_USAGE, KEY_USAGE, writeCertificate } from '../generation/certificate-writer.js';
import { type Issuer, issuerOf } from '../generation/issuer.js';
import { commonNameOnly } from '../generation/subject-name.js';
import type { CertifiedKey, CoordinatorAuthority, KeyCurve } from '../interface.js';

const ROOT_NAME = 'MarbleRun Coordinator';
const INTERMEDIATE_NAME = 'MarbleRun Coordinator - Intermediate CA';
/** Go's longest duration, 2^63 nanoseconds: upstream's certificates of a coordinator end in 2319. */
const LIFETIME_MS = 9_223_372_036_854;
const LOOPBACK = ['127.0.0.1', '::1'];

const CURVES = {
  'P-256': { openssl: 'prime256v1', hash: 'sha256', algorithm: '1.2.840.10045.4.3.2' },
  'P-384': { openssl: 'secp384r1', hash: 'sha384', algorithm: '1.2.840.10045.4.3.3' },
} as const;

/** A new deployment's certificates. @param names DNS names and IP addresses; loopback is always among them */
export async function createAuthority(
  curve: KeyCurve,
  names: readonly string[],
  now: Date,
): Promise<CoordinatorAuthority> {
  const privateKey = newKey(curve);
  const root = certified(privateKey, await selfSigned(curve, ROOT_NAME, privateKey, names, now));
  return withNewIntermediate(root, curve, names, now);
}

/** The same root with a new intermediate; the marble root is the intermediate's key, signed by itself. */
export async function withNewIntermediate(
  root: CertifiedKey,
  curve: KeyCurve,
  names: readonly string[],
  now: Date,
): Promise<CoordinatorAuthority> {
  const key = newKey(curve);
  const content = contentOf(INTERMEDIATE_NAME, key, names, now);
  return {
    root,
    intermediate: certified(key, await writeCertificate(content, issuerOf(root))),
    marbleRoot: certified(key, await selfSigned(curve, INTERMEDIATE_NAME, key, names, now)),
  };
}

export function certified(privateKey: KeyObject, certificate: Buffer): CertifiedKey {
  return { certificate, pem: toPem('CERTIFICATE', certificate), privateKey };
}

export const certifiedFrom = (pkcs8: Buffer, certificate: Buffer): CertifiedKey =>
  certified(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }), certificate);

/** ASN.1 ECDSA by the root over the SHA-256 of `data`, whatever the curve: manifests and quotes (reference §3). */
export const signWithRoot = ({ root }: CoordinatorAuthority, data: Uint8Array): Buffer =>
  sign('sha256', data, root.privateKey);

const newKey = (curve: KeyCurve): KeyObject =>
  generateKeyPairSync('ec', { namedCurve: CURVES[curve].openssl }).privateKey;

function contentOf(commonName: string, key: KeyObject, names: readonly string[], now: Date) {
  const notBefore = new Date(Math.floor(now.getTime() / 1_000) * 1_000);
  return {
    subject: commonNameOnly(commonName),
    publicKey: Buffer.from(PublicKey.fromKeyObject(key).spki),
    notBefore,
    notAfter: new Date(notBefore.getTime() + LIFETIME_MS),
    keyUsage: KEY_USAGE.digitalSignature | KEY_USAGE.certSign,
    extendedKeyUsage: [EXTENDED_KEY_USAGE.serverAuth, EXTENDED_KEY_USAGE.clientAuth],
    authority: { maxPathLength: undefined },
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: [...new Set([...LOOPBACK, ...names.filter((name) => isIP(name) !== 0)])],
  };
}

function selfSigned(
  curve: KeyCurve,
  commonName: string,
  key: KeyObject,
  names: readonly string[],
  now: Date,
): Promise<Buffer> {
  const { hash, algorithm } = CURVES[curve];
  const issuer: Issuer = {
    name: commonNameOnly(commonName),
    keyIdentifier: PublicKey.fromKeyObject(key).keyIdentifier,
    algorithm: derSequence(derOid(algorithm)),
    sign: (tbs) => sign(hash, tbs, key),
  };
  return writeCertificate(contentOf(commonName, key, names, now), issuer);
}
