import { hash } from 'node:crypto';
import {
  derBitString,
  derElement,
  derExplicit,
  derImplicit,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derTrue,
  derUnsigned,
  derUtf8String,
} from './der-writer.js';
import { ecdsaRawToDer } from './ecdsa-signature.js';
import { PkiError } from './pki-error.js';
import type { PublicKey } from './public-key.js';
import { randomSerial } from './serial-number.js';
import { signRaw } from './signer.js';
import type { Signer } from './signer.js';
import type { SubjectNames } from './subject-names.js';

/** What a leaf certificate says; all of it already validated. */
export interface LeafContent {
  key: PublicKey;
  names: SubjectNames;
  /** At most 64 characters; without it the subject is empty and the names are critical. */
  commonName?: string;
  notBefore: Date;
  notAfter: Date;
}

export interface WrittenLeaf {
  der: Buffer;
  /** Hex, 16 octets. */
  serial: string;
  /** Of the DER, hex. */
  sha256: string;
}

/**
 * Writes leaf certificates of one issuer (RFC 5280 profile, version 3, ecdsa-with-SHA256). This is on the path of
 * every attestation, so all that does not change from leaf to leaf is encoded once; why the general generator is
 * not used is measured in docs/decisions/0001-leaf-certificate-writer.md.
 */
export class LeafWriter {
  /** TBSCertificate between the serial number and the validity: signature algorithm, issuer. */
  readonly #issuerPart: Buffer;
  readonly #fixedExtensions: Buffer;

  /**
   * @param issuerName DER Name, byte for byte the subject of the issuer's certificate
   * @param issuerKeyIdentifier the issuer's subject key identifier
   */
  constructor(
    private readonly signer: Signer,
    issuerName: Uint8Array,
    issuerKeyIdentifier: Uint8Array,
  ) {
    if (signer.alg !== 'ES256') throw new PkiError('KEY_NOT_USABLE', 'an issuer signs with ES256');
    this.#issuerPart = Buffer.concat([ECDSA_WITH_SHA256, issuerName]);
    this.#fixedExtensions = Buffer.concat([
      extension(OID.basicConstraints, derSequence(), true),
      extension(OID.extendedKeyUsage, derSequence(derOid('1.3.6.1.5.5.7.3.1'), derOid('1.3.6.1.5.5.7.3.2'))),
      extension(OID.authorityKeyIdentifier, derSequence(derImplicit(0, issuerKeyIdentifier))),
    ]);
  }

  /** Signs one leaf. Throws SIGNER_FAILED. */
  async write(leaf: LeafContent): Promise<WrittenLeaf> {
    const serial = randomSerial();
    const subject = leaf.commonName === undefined ? EMPTY_NAME : commonNameOnly(leaf.commonName);
    const tbs = derSequence(
      VERSION_3,
      derElement(0x02, serial),
      this.#issuerPart,
      derSequence(derTime(leaf.notBefore), derTime(leaf.notAfter)),
      subject,
      leaf.key.spki,
      derExplicit(
        3,
        derSequence(
          this.#fixedExtensions,
          leaf.key.kind === 'RSA' ? KEY_USAGE_RSA : KEY_USAGE,
          extension(OID.subjectKeyIdentifier, derOctetString(leaf.key.keyIdentifier)),
          extension(OID.subjectAltName, generalNames(leaf.names), subject === EMPTY_NAME),
        ),
      ),
    );
    const signature = ecdsaRawToDer(await signRaw(this.signer, tbs));
    const der = derSequence(tbs, ECDSA_WITH_SHA256, derBitString(signature));
    return { der, serial: serial.toString('hex'), sha256: hash('sha256', der, 'hex') };
  }
}

const OID = {
  subjectKeyIdentifier: derOid('2.5.29.14'),
  keyUsage: derOid('2.5.29.15'),
  subjectAltName: derOid('2.5.29.17'),
  basicConstraints: derOid('2.5.29.19'),
  authorityKeyIdentifier: derOid('2.5.29.35'),
  extendedKeyUsage: derOid('2.5.29.37'),
} as const;
const VERSION_3 = derExplicit(0, derUnsigned(Buffer.of(2)));
const ECDSA_WITH_SHA256 = derSequence(derOid('1.2.840.10045.4.3.2'));
const EMPTY_NAME = derSequence();
const COMMON_NAME = derOid('2.5.4.3');

/** digitalSignature; for RSA also keyEncipherment, which TLS 1.2 clients with RSA key exchange look for. */
const KEY_USAGE = extension(OID.keyUsage, derBitString(Buffer.of(0x80), 7), true);
const KEY_USAGE_RSA = extension(OID.keyUsage, derBitString(Buffer.of(0xa0), 5), true);

function extension(oid: Buffer, value: Buffer, critical = false): Buffer {
  return critical
    ? derSequence(oid, derTrue, derOctetString(value))
    : derSequence(oid, derOctetString(value));
}

function commonNameOnly(commonName: string): Buffer {
  return derSequence(derSet(derSequence(COMMON_NAME, derUtf8String(commonName))));
}

/** GeneralNames (RFC 5280 §4.2.1.6): dNSName [2], iPAddress [7], uniformResourceIdentifier [6]. */
function generalNames(names: SubjectNames): Buffer {
  return derSequence(
    ...names.dns.map((name) => derImplicit(2, Buffer.from(name, 'latin1'))),
    ...names.ips.map((octets) => derImplicit(7, octets)),
    ...names.uris.map((uri) => derImplicit(6, Buffer.from(uri, 'latin1'))),
  );
}
