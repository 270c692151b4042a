import { DcapError, DerReader, TAG, type DerElement } from '#dcap';
import { derOid } from '#pki';
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { activationFailed } from './refusal.js';

/** What a marble may ask for in its request (RFC 2986): names. Its key is not used, the coordinator makes one. */
export interface MarbleCsr {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

const MAX_CSR_BYTES = 16 * 1024;
const MAX_NAMES = 64;
const PREFIX = 'generating marble authentication secrets';
const EXTENSION_REQUEST = derOid('1.2.840.113549.1.9.14');
const SUBJECT_ALT_NAME = derOid('2.5.29.17');
const DNS_NAME = TAG.contextPrimitive(2);
const IP_ADDRESS = TAG.contextPrimitive(7);

/** AlgorithmIdentifier's object identifier: family of key and hash. */
const ALGORITHMS = new Map<string, { readonly type: string; readonly hash: string | null }>(
  (
    [
      ['1.2.840.10045.4.3.2', 'ec', 'sha256'],
      ['1.2.840.10045.4.3.3', 'ec', 'sha384'],
      ['1.2.840.10045.4.3.4', 'ec', 'sha512'],
      ['1.2.840.113549.1.1.11', 'rsa', 'sha256'],
      ['1.2.840.113549.1.1.12', 'rsa', 'sha384'],
      ['1.2.840.113549.1.1.13', 'rsa', 'sha512'],
      ['1.3.101.112', 'ed25519', null],
    ] as const
  ).map(([oid, type, hash]) => [derOid(oid).toString('hex'), { type, hash }]),
);

/**
 * Parses the request and verifies its signature, on a thread of its own.
 *
 * @param provenKey SubjectPublicKeyInfo whose possession the TLS handshake has proven already: a request by that key proves nothing new,
 *   so that its signature, a P-384 verification of half a millisecond and more, is not verified again
 * @throws ActivationRefusal
 */
export async function readMarbleCsr(bytes: Uint8Array, provenKey?: Buffer): Promise<MarbleCsr> {
  const parsed = parseMarbleCsr(bytes);
  if (provenKey?.equals(parsed.publicKey)) return parsed;
  if (!(await signatureHolds(parsed)))
    throw activationFailed('CSR_SIGNATURE_INVALID', `${PREFIX}: signature over CSR is invalid`);
  return parsed;
}

/** The request as it stands, its signature not verified. @throws ActivationRefusal */
export function parseMarbleCsr(bytes: Uint8Array): UnverifiedCsr {
  const der = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (der.length === 0) throw malformed('asn1: syntax error: sequence truncated');
  if (der.length > MAX_CSR_BYTES) throw malformed(`more than ${MAX_CSR_BYTES} bytes`);
  try {
    return parse(der);
  } catch (cause) {
    if (cause instanceof DcapError) throw malformed(`asn1: structure error: ${cause.message}`, cause);
    throw cause;
  }
}

export interface UnverifiedCsr extends MarbleCsr {
  readonly info: Buffer;
  readonly algorithm: Buffer;
  readonly signature: Buffer;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
}

function parse(der: Buffer): UnverifiedCsr {
  const outer = DerReader.inside(DerReader.exactly(der, TAG.sequence));
  const info = outer.next(TAG.sequence);
  const algorithm = outer.sequence().next(TAG.oid).raw;
  const signature = outer.next(TAG.bitString).value;
  outer.end();
  if (signature[0] !== 0) throw new DcapError('DER_INVALID', 'DER: unused bits in a signature');
  const inner = DerReader.inside(info);
  inner.next(TAG.integer);
  inner.next(TAG.sequence);
  const publicKey = inner.next(TAG.sequence).raw;
  const attributes = inner.optional(TAG.context(0));
  inner.end();
  const names = attributes ? requestedNames(attributes) : { dnsNames: [], ipAddresses: [] };
  return { ...names, info: info.raw, algorithm, signature: signature.subarray(1), publicKey };
}

function requestedNames(attributes: DerElement): MarbleCsr {
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  const reader = DerReader.inside(attributes);
  while (!reader.atEnd) {
    const attribute = reader.sequence();
    if (!attribute.next(TAG.oid).raw.equals(EXTENSION_REQUEST)) continue;
    const extensions = DerReader.inside(attribute.next(TAG.set)).sequence();
    while (!extensions.atEnd) {
      const extension = extensions.sequence();
      const oid = extension.next(TAG.oid).raw;
      extension.optional(TAG.boolean);
      const value = extension.next(TAG.octetString);
      if (!oid.equals(SUBJECT_ALT_NAME)) continue;
      const names = DerReader.inside(value).sequence();
      while (!names.atEnd) readName(names, dnsNames, ipAddresses);
    }
  }
  if (dnsNames.length + ipAddresses.length > MAX_NAMES)
    throw new DcapError('DER_INVALID', `more than ${MAX_NAMES} names`);
  return { dnsNames, ipAddresses };
}

function readName(names: DerReader, dnsNames: string[], ipAddresses: string[]): void {
  const tag = names.peek();
  const { value } = names.next(tag);
  if (tag === DNS_NAME) {
    const name = value.toString('latin1');
    if (!/^[\x21-\x7e]{1,253}$/.test(name))
      throw new DcapError('DER_INVALID', 'a DNS name of other characters');
    dnsNames.push(name);
  } else if (tag === IP_ADDRESS) ipAddresses.push(addressText(value));
}

function addressText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new DcapError('DER_INVALID', `an IP address of ${octets.length} octets`);
  return octets.toString('hex').replace(/(.{4})(?!$)/g, '$1:');
}

function signatureHolds({ algorithm, publicKey, info, signature }: UnverifiedCsr): Promise<boolean> {
  const known = ALGORITHMS.get(algorithm.toString('hex'));
  const key = keyOf(publicKey);
  if (!known || known.type !== key.asymmetricKeyType) return Promise.resolve(false);
  return new Promise((resolve) =>
    verify(known.hash, info, key, signature, (error, valid) => resolve(error === null && valid)),
  );
}

function keyOf(publicKey: Buffer): KeyObject {
  try {
    return createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  } catch (cause) {
    throw malformed('the public key cannot be read', cause);
  }
}

/** SubjectPublicKeyInfo of a certificate as it stands there (RFC 5280 §4.1); undefined for what is none. */
export function publicKeyOf(certificate: Buffer): Buffer | undefined {
  try {
    const tbs = DerReader.inside(
      DerReader.inside(DerReader.exactly(certificate, TAG.sequence)).next(TAG.sequence),
    );
    tbs.optional(TAG.context(0));
    tbs.next(TAG.integer);
    for (let skipped = 0; skipped < 4; skipped++) tbs.next(TAG.sequence);
    return tbs.next(TAG.sequence).raw;
  } catch (error) {
    if (error instanceof DcapError) return undefined;
    throw error;
  }
}

const malformed = (why: string, cause?: unknown) =>
  activationFailed('CSR_MALFORMED', `${PREFIX}: parsing CSR: ${why}`, cause);
