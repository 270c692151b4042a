import { DcapError, DerReader, TAG } from '#dcap';
import { EvidenceError } from './evidence-error.js';

/** Gramine's largest certificate has 16 KiB, a rats-tls one with endorsements about 30. */
export const MAX_CERTIFICATE_BYTES = 64 * 1024;
const MAX_EXTENSIONS = 32;

/** The parts of an X.509 certificate that carries evidence, as views of a copy of the input. */
export interface CarrierCertificate {
  /** 1 where the version field is absent: Occlum writes extensions into such certificates all the same. */
  readonly version: 1 | 3;
  readonly tbs: Buffer;
  /** DER of the AlgorithmIdentifier, the same inside and outside of the signed part. */
  readonly algorithm: Buffer;
  readonly signature: Buffer;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly spki: Buffer;
  /** Values by the bytes of the OID in hex: one dialect's OID is mis-encoded and has no useful dotted form. */
  readonly extensions: ReadonlyMap<string, Buffer>;
}

/**
 * Takes a certificate apart by a strict DER walk (X.690 §10, RFC 5280 §4.1). `crypto.X509Certificate` must not be given these
 * bytes: it looks for PEM first and finds the PCK chain inside the quote. The validity period is not judged: these
 * certificates are valid for decades and say nothing about freshness.
 *
 * @throws EvidenceError CERTIFICATE_TOO_LARGE, CERTIFICATE_MALFORMED, CERTIFICATE_EXTENSION_TWICE
 */
export function readCarrierCertificate(der: Uint8Array): CarrierCertificate {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new EvidenceError('CERTIFICATE_TOO_LARGE');
  try {
    return read(Buffer.from(der));
  } catch (error) {
    if (error instanceof DcapError)
      throw new EvidenceError('CERTIFICATE_MALFORMED', error.message, { cause: error });
    throw error;
  }
}

function read(der: Buffer): CarrierCertificate {
  const outer = DerReader.inside(DerReader.exactly(der, TAG.sequence));
  const tbs = outer.next(TAG.sequence);
  const algorithm = outer.next(TAG.sequence).raw;
  const bits = outer.next(TAG.bitString).value;
  outer.end();
  if (bits[0] !== 0) malformed('a signature with unused bits');

  const fields = DerReader.inside(tbs);
  const version = fields.optional(TAG.context(0));
  if (version !== undefined && !version.value.equals(VERSION_3)) malformed('a version other than 1 and 3');
  fields.next(TAG.integer);
  if (!fields.next(TAG.sequence).raw.equals(algorithm)) malformed('two different signature algorithms');
  const issuer = fields.next(TAG.sequence).raw;
  fields.next(TAG.sequence);
  const subject = fields.next(TAG.sequence).raw;
  const spki = fields.next(TAG.sequence).raw;
  const wrapper = fields.optional(TAG.context(3));
  fields.end();
  return {
    version: version === undefined ? 1 : 3,
    tbs: tbs.raw,
    algorithm,
    signature: bits.subarray(1),
    issuer,
    subject,
    spki,
    extensions: wrapper === undefined ? new Map() : readExtensions(DerReader.inside(wrapper)),
  };
}

/** INTEGER 2. */
const VERSION_3 = Buffer.from('020102', 'hex');

function readExtensions(wrapper: DerReader): Map<string, Buffer> {
  const list = wrapper.sequence();
  wrapper.end();
  const found = new Map<string, Buffer>();
  while (!list.atEnd) {
    if (found.size === MAX_EXTENSIONS) malformed('too many extensions');
    const fields = list.sequence();
    const oid = fields.next(TAG.oid).value.toString('hex');
    const critical = fields.optional(TAG.boolean);
    if (critical !== undefined && !critical.value.equals(TRUE)) malformed('a default value is encoded');
    const value = fields.next(TAG.octetString).value;
    fields.end();
    if (found.has(oid)) throw new EvidenceError('CERTIFICATE_EXTENSION_TWICE', oid);
    found.set(oid, value);
  }
  return found;
}

const TRUE = Buffer.of(0xff);

function malformed(what: string): never {
  throw new EvidenceError('CERTIFICATE_MALFORMED', what);
}
