import type { CarrierCertificate } from '../carrier-certificate.js';
import { CborError, CborReader } from '../cbor-reader.js';
import type { CarriedEvidence, RaTlsDialect } from '../dialect.js';
import { EvidenceError } from '../evidence-error.js';
import { MAX_QUOTE_BYTES, quoteOfFittingSize } from '../quote-layout.js';
import { MAX_CLAIMS_BYTES, readDiceClaims } from './claims.js';

/** 2.23.133.5.4.9, TCG DICE tagged evidence (Interoperable RA-TLS): Gramine since 1.8, rats-tls and librats since 2023, Intel's SGX SDK. */
const OID = '678105050409';

/** CBOR tag of an Intel TEE quote; SGX and TDX are told apart by the quote's header. */
const TEE_QUOTE = 60_000;

export const DICE: RaTlsDialect = {
  name: 'dice',
  version: 3,
  sha1: false,
  present: ({ extensions }) => extensions.has(OID),
  read: readTaggedEvidence,
};

/** Reads the extension: tag 60000 [quote, serialized claims]. */
export function readTaggedEvidence({ extensions }: CarrierCertificate): CarriedEvidence {
  const value = extensions.get(OID);
  if (value === undefined) throw new EvidenceError('EVIDENCE_MISSING');
  let quote: Buffer;
  let claims: Buffer;
  try {
    const reader = new CborReader(value);
    // 60001 (report), 60002 (EREPORT), 0x1a7504 and on (AMD, Hygon) are registered for what is no Intel quote.
    if (reader.tag() !== TEE_QUOTE) throw new EvidenceError('EVIDENCE_UNSUPPORTED');
    if (reader.array(2) !== 2) throw new CborError('not two items');
    quote = quoteOfFittingSize(reader.bytes(MAX_QUOTE_BYTES));
    claims = reader.bytes(MAX_CLAIMS_BYTES);
    reader.end();
  } catch (error) {
    if (error instanceof CborError)
      throw new EvidenceError('EVIDENCE_MALFORMED', error.message, { cause: error });
    throw error;
  }
  return { quote, convention: 'dice-claims', claims, customClaims: readDiceClaims(claims).custom };
}
