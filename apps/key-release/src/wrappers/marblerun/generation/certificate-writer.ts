import {
  derBitString,
  derExplicit,
  derImplicit,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derTrue,
  derUnsigned,
} from '#pki';
import { hash, randomBytes } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { Issuer } from './issuer.js';

/** What a certificate of a coordinator says besides its issuer. Source: reference marblerun.md §2.5, recorded certificates. */
export interface CertificateContent {
  /** DER Name. */
  readonly subject: Buffer;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  readonly serialNumber?: bigint | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Go's bits: 1 digitalSignature, 2 contentCommitment ... */
  readonly keyUsage: number;
  /** Dotted object identifiers. */
  readonly extendedKeyUsage: readonly string[];
  readonly authority?: { readonly maxPathLength: number | undefined } | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses?: readonly string[];
  /** Not critical, in their order behind all others. */
  readonly extra?: readonly { readonly oid: string; readonly octets: Buffer }[];
}

/** DER of an X.509 certificate, version 3, in the order of fields and extensions of Go's `x509.CreateCertificate`. */
export async function writeCertificate(content: CertificateContent, issuer: Issuer): Promise<Buffer> {
  const serial = content.serialNumber === undefined ? randomBytes(16) : bigEndian(content.serialNumber);
  const names = alternativeNames(content);
  const tbs = derSequence(
    VERSION_3,
    derUnsigned(serial),
    issuer.algorithm,
    issuer.name,
    validity(content.notBefore, content.notAfter),
    content.subject,
    content.publicKey,
    derExplicit(
      3,
      derSequence(
        usage(content),
        ...(content.authority
          ? [extension(OID.subjectKeyIdentifier, derOctetString(keyIdentifier(content.publicKey)))]
          : []),
        extension(OID.authorityKeyIdentifier, derSequence(derImplicit(0, issuer.keyIdentifier))),
        ...(names === undefined
          ? []
          : [extension(OID.subjectAltName, names, content.subject.equals(EMPTY_NAME))]),
        ...(content.extra ?? []).map(({ oid: dotted, octets }) => extension(oid(dotted), octets)),
      ),
    ),
  );
  return derSequence(tbs, issuer.algorithm, derBitString(await issuer.sign(tbs)));
}

export const EXTENDED_KEY_USAGE = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;
export const KEY_USAGE = { digitalSignature: 1, keyAgreement: 16, certSign: 32 } as const;

const OID = {
  subjectKeyIdentifier: derOid('2.5.29.14'),
  keyUsage: derOid('2.5.29.15'),
  subjectAltName: derOid('2.5.29.17'),
  basicConstraints: derOid('2.5.29.19'),
  authorityKeyIdentifier: derOid('2.5.29.35'),
  extendedKeyUsage: derOid('2.5.29.37'),
} as const;
/** Few identifiers, in every certificate. */
const encoded = new Map<string, Buffer>();
function oid(dotted: string): Buffer {
  const known = encoded.get(dotted);
  if (known) return known;
  const made = derOid(dotted);
  if (encoded.size < 64) encoded.set(dotted, made);
  return made;
}
const VERSION_3 = derExplicit(0, derUnsigned(Buffer.of(2)));
const EMPTY_NAME = derSequence();

/** Key usages and basic constraints: the same few bytes in one certificate after the other. */
const usages = new Map<string, Buffer>();
const MAX_USAGES = 64;

function usage({ keyUsage: bits, extendedKeyUsage, authority }: CertificateContent): Buffer {
  const name = `${bits} ${extendedKeyUsage.join()} ${authority ? authority.maxPathLength : '-'}`;
  const known = usages.get(name);
  if (known) return known;
  const made = Buffer.concat([
    ...(bits === 0 ? [] : [extension(OID.keyUsage, keyUsage(bits), true)]),
    ...(extendedKeyUsage.length === 0
      ? []
      : [extension(OID.extendedKeyUsage, derSequence(...extendedKeyUsage.map(oid)))]),
    extension(OID.basicConstraints, basicConstraints(authority), true),
  ]);
  if (usages.size < MAX_USAGES) usages.set(name, made);
  return made;
}

/** The last one; certificates of one second with the same lifetime have it in common. */
let lastValidity = { notBefore: NaN, notAfter: NaN, der: EMPTY_NAME };

function validity(notBefore: Date, notAfter: Date): Buffer {
  const seconds = (time: Date): number => Math.floor(time.getTime() / 1_000);
  const wanted = { notBefore: seconds(notBefore), notAfter: seconds(notAfter) };
  if (lastValidity.notBefore === wanted.notBefore && lastValidity.notAfter === wanted.notAfter)
    return lastValidity.der;
  lastValidity = { ...wanted, der: derSequence(derTime(notBefore), derTime(notAfter)) };
  return lastValidity.der;
}

function extension(oid: Buffer, value: Buffer, critical = false): Buffer {
  return critical
    ? derSequence(oid, derTrue, derOctetString(value))
    : derSequence(oid, derOctetString(value));
}

/** BIT STRING of RFC 5280 §4.2.1.3: bit 0 is the highest, and trailing zero bits are left out. */
function keyUsage(bits: number): Buffer {
  const octets = [0, 0];
  let last = 0;
  for (let bit = 0; bit < 9; bit++) {
    if (!(bits & (1 << bit))) continue;
    octets[bit >> 3]! |= 0x80 >> (bit & 7);
    last = bit;
  }
  return derBitString(Buffer.from(octets.slice(0, (last >> 3) + 1)), 7 - (last & 7));
}

function basicConstraints(authority: CertificateContent['authority']): Buffer {
  if (!authority) return derSequence();
  const { maxPathLength } = authority;
  return derSequence(
    derTrue,
    ...(maxPathLength === undefined ? [] : [derUnsigned(bigEndian(BigInt(maxPathLength)))]),
  );
}

/** RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits. */
function keyIdentifier(publicKey: Buffer): Buffer {
  // SubjectPublicKeyInfo ends in its BIT STRING, whose content begins behind the algorithm, tag, length and unused bits.
  const algorithmEnd = headerEnd(publicKey, 0);
  const bits = headerEnd(publicKey, elementEnd(publicKey, algorithmEnd));
  return Buffer.from(hash('sha1', publicKey.subarray(bits + 1), 'hex'), 'hex');
}

function headerEnd(der: Buffer, at: number): number {
  const first = der[at + 1]!;
  return at + 2 + (first < 0x80 ? 0 : first & 0x7f);
}

function elementEnd(der: Buffer, at: number): number {
  const start = headerEnd(der, at);
  const first = der[at + 1]!;
  return start + (first < 0x80 ? first : der.readUIntBE(at + 2, first & 0x7f));
}

function alternativeNames({
  dnsNames,
  ipAddresses,
  emailAddresses = [],
}: CertificateContent): Buffer | undefined {
  const names = [
    ...dnsNames.map((name) => derImplicit(2, Buffer.from(name, 'latin1'))),
    ...emailAddresses.map((name) => derImplicit(1, Buffer.from(name, 'latin1'))),
    ...ipAddresses.map((address) => derImplicit(7, ipOctets(address))),
  ];
  return names.length === 0 ? undefined : derSequence(...names);
}

/** 4 or 16 octets. @throws RangeError */
export function ipOctets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new RangeError(`"${address}" is not an IP address`);
  const dotted = /:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const plain = dotted ? `${address.slice(0, dotted.index + 1)}${hexPairs(dotted[1]!)}` : address;
  const [head = '', tail] = plain.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)];
  const middle = Array<string>(8 - left.length - right.length).fill('0');
  const octets = Buffer.alloc(16);
  [...left, ...middle, ...right].forEach((group, at) => octets.writeUInt16BE(parseInt(group, 16), at * 2));
  return octets;
}

const hexPairs = (v4: string): string => {
  const hex = Buffer.from(v4.split('.').map(Number)).toString('hex');
  return `${hex.slice(0, 4)}:${hex.slice(4)}`;
};

function bigEndian(value: bigint): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}
