import type { SiegelError } from '#contracts';
import { parseQuote } from '#dcap';
import { PkiError, PublicKey } from '#pki';
import { createPublicKey, hash } from 'node:crypto';
import { refusal } from '../../../pipeline/early-refusals.js';
import { readFields, textOf } from '../protobuf.js';

/** What a client of AECS shows of itself: its quote, and the RSA key whose PEM text the quote binds. */
export interface ClientReport {
  readonly quote: Buffer;
  readonly key: PublicKey;
  /** The key's text exactly as sent: its hash is in the report data. */
  readonly pem: Buffer;
}

/** RSA-4096 in PKCS #1 PEM has about 780. */
const MAX_PEM_BYTES = 1_024;
const MAX_QUOTE_BYTES = 32 * 1_024;
/** The collateral that a client brings along is not used: it may be as old as the client likes. */
const MAX_REPORT_BYTES = 224 * 1_024;
const TDX_TYPE = 0x81;

/**
 * Reads a `UnifiedAttestationAuthReport` (jinzhao-attest, attestation.proto) of SGX with DCAP.
 *
 * @throws SiegelError EVIDENCE_MALFORMED, EVIDENCE_UNSUPPORTED, PUBLIC_KEY_INVALID
 */
export function readClientReport(message: Uint8Array | undefined): ClientReport {
  if (message === undefined) throw malformed('there is no report');
  const outer = readFields(message);
  const report = outer.get(1);
  if (report === undefined) throw malformed('there is no report');
  const fields = readFields(report);
  const version = textOf(fields, 1, 16);
  const type = textOf(fields, 2, 32);
  const platform = textOf(fields, 3, 32);
  if (version !== '1.0') throw unsupported(`report version ${JSON.stringify(version)}`);
  if (type !== 'Passport' && type !== 'BackgroundCheck')
    throw unsupported(`report type ${JSON.stringify(type)}`);
  if (platform !== 'SGX_DCAP') throw unsupported(`platform ${JSON.stringify(platform)}`);
  if (textOf(fields, 9, MAX_REPORT_BYTES) !== '') throw unsupported('reports of nested enclaves');
  const quote = quoteOf(textOf(fields, 4, MAX_REPORT_BYTES));
  const text = textOf(outer, 2, MAX_PEM_BYTES);
  return { quote, key: keyOf(text), pem: Buffer.from(text) };
}

/** `json_report` of SGX_DCAP: `b64_quote`, and the client's own collateral, which is not looked at. */
function quoteOf(json: string): Buffer {
  let report: unknown;
  try {
    report = JSON.parse(json);
  } catch {
    throw malformed('json_report is not JSON');
  }
  const text = (report as { b64_quote?: unknown } | null)?.b64_quote;
  if (typeof text !== 'string') throw malformed('json_report has no b64_quote');
  const quote = Buffer.from(text, 'base64');
  if (quote.toString('base64') !== text) throw malformed('b64_quote is not base64');
  if (quote.length < 436 || quote.length > MAX_QUOTE_BYTES)
    throw malformed(`${quote.length} bytes are no quote`);
  if (quote.readUInt32LE(4) === TDX_TYPE) throw unsupported('a TDX quote');
  return quote;
}

function keyOf(pem: string): PublicKey {
  if (!pem.startsWith('-----BEGIN RSA PUBLIC KEY-----\n'))
    throw keyInvalid('AECS_KEY_UNSUPPORTED', 'pem_public_key is not the PKCS #1 PEM text of an RSA key');
  try {
    return PublicKey.fromKeyObject(createPublicKey(pem));
  } catch (error) {
    if (error instanceof PkiError) throw keyInvalid(error.code, error.message);
    throw keyInvalid('KEY_MALFORMED', 'pem_public_key cannot be read');
  }
}

/**
 * What tells one quote from every other: its signed part and the half of its signature that nobody can change without the key. The
 * other half has two valid values, so that a hash over the whole quote would take a copy for a new one.
 */
export function quoteIdentity(quote: Buffer): string {
  const { signedRegion, signature } = parseQuote(quote);
  return hash('sha256', Buffer.concat([signedRegion, signature.subarray(0, 32)]), 'base64url');
}

const malformed = (message: string): SiegelError =>
  refusal('EVIDENCE_MALFORMED', 'AECS_REPORT_MALFORMED', message);
const unsupported = (message: string): SiegelError =>
  refusal('EVIDENCE_UNSUPPORTED', 'AECS_REPORT_UNSUPPORTED', `${message} is not supported`);
const keyInvalid = (code: string, message: string): SiegelError =>
  refusal('PUBLIC_KEY_INVALID', code, message);
