import { NO_CLAIMS } from './dialect.js';
import type { CarriedEvidence } from './dialect.js';
import { EvidenceError } from './evidence-error.js';

/** What the evidence endpoint takes; runtimes hand out buffers of up to 8 KiB with padding. */
export const MAX_QUOTE_BYTES = 32 * 1024;
/** Header and SGX body: less is no quote. */
const MIN_QUOTE_BYTES = 48 + 384;

/** @throws EvidenceError EVIDENCE_MALFORMED for what cannot be a quote by its size */
export function quoteOfFittingSize(quote: Buffer): Buffer {
  if (quote.length < MIN_QUOTE_BYTES || quote.length > MAX_QUOTE_BYTES)
    throw new EvidenceError('EVIDENCE_MALFORMED', `${quote.length} bytes are no quote`);
  return quote;
}

/** The older dialects: the extension's value is the quote, report data is the hash of the key. */
export function bareQuote(value: Buffer | undefined): CarriedEvidence {
  if (value === undefined) throw new EvidenceError('EVIDENCE_MISSING');
  return { quote: quoteOfFittingSize(value), convention: 'sha256-spki', customClaims: NO_CLAIMS };
}

/**
 * The 64 bytes of report data of an unverified quote, without parsing the rest of it (Intel DCAP Quoting Library API, A.3, A.4).
 * Undefined where header and size do not fit. For a first look only: what counts is what the verifier reports.
 */
export function unverifiedReportData(quote: Buffer): Buffer | undefined {
  if (quote.length < MIN_QUOTE_BYTES) return undefined;
  const version = quote.readUInt16LE(0);
  const tdx = quote.readUInt32LE(4) === 0x81;
  const body = version === 5 ? 54 : 48;
  const at = body + (tdx ? 520 : 320);
  if (version < 3 || version > 5 || at + 64 > quote.length) return undefined;
  return quote.subarray(at, at + 64);
}
