import { readAuthorityKeyId, readExtensions, requireAlgorithm, serialOf } from './certificate.js';
import { DerReader, smallInteger, TAG, time, unsignedBytes, wholeBits } from './der.js';
import { rawSignature } from './ecdsa.js';
import { DcapError } from './error.js';

const OID_CRL_NUMBER = '2.5.29.20';
const OID_AUTHORITY_KEY_ID = '2.5.29.35';
const OID_REASON_CODE = '2.5.29.21';
const OID_INVALIDITY_DATE = '2.5.29.24';
/** 1 MiB is about 20,000 entries; Intel's largest has 57. */
const MAX_CRL_BYTES = 1024 * 1024;

/** What verification needs of an X.509 v2 CRL (RFC 5280 §5). */
export interface Crl {
  readonly raw: Buffer;
  readonly tbs: Buffer;
  readonly issuer: Buffer;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Serial numbers in the form of {@link Certificate.serial}. Every entry counts, whatever its reason. */
  readonly revoked: ReadonlySet<string>;
  /** Hex without leading zeros. */
  readonly number?: string;
  readonly authorityKeyId?: Buffer;
  /** r‖s. */
  readonly signature: Buffer;
}

/** Parses DER strictly. Throws DcapError CRL_INVALID (also for bad DER); never checks a signature. */
export function parseCrl(der: Uint8Array): Crl {
  try {
    return readCrl(Buffer.from(der));
  } catch (error) {
    if (error instanceof DcapError && error.code === 'DER_INVALID')
      throw new DcapError('CRL_INVALID', error.message);
    throw error;
  }
}

function readCrl(raw: Buffer): Crl {
  if (raw.length > MAX_CRL_BYTES) throw new DcapError('CRL_INVALID', 'the CRL is too large');
  const outer = DerReader.inside(DerReader.exactly(raw, TAG.sequence));
  const tbs = outer.next(TAG.sequence);
  requireAlgorithm(outer.next(TAG.sequence), 'CRL_INVALID');
  const signature = rawSignature(wholeBits(outer.next(TAG.bitString)));
  outer.end();

  const fields = DerReader.inside(tbs);
  if (smallInteger(fields.next(TAG.integer), 1) !== 1)
    throw new DcapError('CRL_INVALID', 'the CRL is not of version 2');
  requireAlgorithm(fields.next(TAG.sequence), 'CRL_INVALID');
  const issuer = fields.next(TAG.sequence).raw;
  const thisUpdate = time(fields);
  // RFC 5280 requires nextUpdate; without it a list would never expire.
  const nextUpdate = time(fields);
  const list = fields.optional(TAG.sequence);
  const revoked = list === undefined ? new Set<string>() : readEntries(DerReader.inside(list));
  const wrapper = fields.optional(TAG.context(0));
  fields.end();
  const extensions = wrapper === undefined ? {} : readCrlExtensions(DerReader.inside(wrapper));
  return { raw, tbs: tbs.raw, issuer, thisUpdate, nextUpdate, revoked, signature, ...extensions };
}

function readEntries(reader: DerReader): Set<string> {
  const revoked = new Set<string>();
  while (!reader.atEnd) {
    const entry = reader.sequence();
    revoked.add(serialOf(entry.next(TAG.integer)));
    time(entry);
    if (!entry.atEnd) {
      const extensions = readExtensions(entry.sequence(), 'CRL_INVALID');
      for (const [id, { critical }] of extensions) {
        if (critical && id !== OID_REASON_CODE && id !== OID_INVALIDITY_DATE) {
          throw new DcapError('CRL_INVALID', `the critical extension ${id} of an entry is unknown`);
        }
      }
    }
    entry.end();
  }
  return revoked;
}

function readCrlExtensions(wrapper: DerReader): Pick<Crl, 'number' | 'authorityKeyId'> {
  const found = readExtensions(wrapper.sequence(), 'CRL_INVALID');
  wrapper.end();
  for (const [id, { critical }] of found) {
    if (critical && id !== OID_CRL_NUMBER && id !== OID_AUTHORITY_KEY_ID) {
      // Among them deltaCRLIndicator and issuingDistributionPoint: such a list would not be complete.
      throw new DcapError('CRL_INVALID', `the critical extension ${id} is unknown`);
    }
  }
  const number = found.get(OID_CRL_NUMBER);
  const authorityKey = found.get(OID_AUTHORITY_KEY_ID);
  return {
    ...(number && { number: crlNumber(number.value) }),
    ...(authorityKey && readAuthorityKeyId(authorityKey.value)),
  };
}

function crlNumber(value: Buffer): string {
  const bytes = unsignedBytes(DerReader.exactly(value, TAG.integer));
  if (bytes.length > 20) throw new DcapError('CRL_INVALID', 'the CRL number is too long');
  return bytes.toString('hex').replace(/^0+(?=.)/, '');
}
