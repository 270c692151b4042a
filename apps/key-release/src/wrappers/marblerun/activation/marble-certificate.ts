import type { CertificateRecord } from '#contracts';
import { hash, randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { EXTENDED_KEY_USAGE, KEY_USAGE, writeCertificate } from '../generation/certificate-writer.js';
import { generateEcKeyPair } from '../generation/ec-key-encoding.js';
import { issuerOf } from '../generation/issuer.js';
import { commonNameOnly } from '../generation/subject-name.js';
import type { CertifiedKey, KeyCurve, SecretMaterial } from '../interface.js';
import type { MarbleCsr } from './marble-csr.js';

/** Holds the marble's type, as plain UTF-8 without an inner DER (reference marblerun.md §2.5). */
export const MARBLE_TYPE_EXTENSION = '1.3.9903.2.1';
/** Go's longest duration, 2^63 nanoseconds. */
const LIFETIME_MS = 9_223_372_036_854;
const BITS = { 'P-256': 256, 'P-384': 384 } as const;

export interface MarbleIdentity {
  readonly material: SecretMaterial;
  readonly record: z.infer<typeof CertificateRecord>;
}

/** A key pair and certificate for one activated marble, issued by the marble root. */
export async function issueMarbleCertificate(
  csr: MarbleCsr,
  marble: { readonly uuid: string; readonly type: string },
  marbleRoot: CertifiedKey,
  curve: KeyCurve,
  now: Date,
): Promise<MarbleIdentity> {
  const { privateKey, publicKey } = generateEcKeyPair(BITS[curve]);
  const serial = randomBytes(16);
  const notAfter = new Date(now.getTime() + LIFETIME_MS);
  const certificate = await writeCertificate(
    {
      subject: commonNameOnly(marble.uuid),
      publicKey,
      serialNumber: BigInt(`0x${serial.toString('hex')}`),
      notBefore: now,
      notAfter,
      keyUsage: KEY_USAGE.digitalSignature | KEY_USAGE.keyAgreement,
      extendedKeyUsage: Object.values(EXTENDED_KEY_USAGE),
      dnsNames: csr.dnsNames,
      ipAddresses: csr.ipAddresses,
      extra: [{ oid: MARBLE_TYPE_EXTENSION, octets: Buffer.from(marble.type) }],
    },
    issuerOf(marbleRoot),
  );
  return {
    material: { private: privateKey, public: publicKey, certificate },
    record: {
      serial: serial.toString('hex'),
      sha256: hash('sha256', certificate, 'hex'),
      dns: [...csr.dnsNames],
      notAfter: notAfter.toISOString(),
    },
  };
}
