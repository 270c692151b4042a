import { DcapError, encodePem, hasOpenEnclaveHeader } from '#dcap';
import { X509Certificate } from 'node:crypto';
import { CliError } from '../failure/cli-error.js';
import { decodeEncoding, type Encoding } from '../input/quote-encoding.js';
import { certificateBlocks, inspectCertificates } from './certificates.js';
import { inspectBundle, inspectQeIdentity, inspectTcbInfo } from './collateral.js';
import { inspectCrl } from './crl.js';
import type { Inspection } from './inspection.js';
import { inspectQuote } from './quote.js';
import { inspectRaTls } from './ra-tls.js';
import { inspectSigstruct, isSigstruct } from './sigstruct.js';

export interface Recognised {
  readonly inspection: Inspection;
  readonly encoding: Encoding | 'pem' | 'json';
  /** Bytes after decoding. */
  readonly size: number;
}

/**
 * Finds out by its content what a file is, and takes it apart.
 * @throws CliError FORMAT_UNKNOWN; FORMAT_MALFORMED if the kind is clear but the content is damaged
 */
export function recognise(file: Buffer): Recognised {
  try {
    const text = asText(file);
    if (text !== undefined && /^\s*\{/.test(text)) {
      return { inspection: json(text), encoding: 'json', size: file.length };
    }
    if (text !== undefined && /^-----BEGIN /m.test(text)) {
      return { inspection: pem(text), encoding: 'pem', size: file.length };
    }
    const { bytes, encoding } = decodeEncoding(file);
    return { inspection: binary(bytes), encoding, size: bytes.length };
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof DcapError) {
      throw CliError.of('FORMAT_MALFORMED', `${error.code}: ${error.message}.`, { cause: error });
    }
    // Parsers of the runtime (OpenSSL, JSON) report damage in their own words.
    throw CliError.of('FORMAT_MALFORMED', `The file is damaged: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

/** The file as text, undefined if it is not: UTF-8 without control characters, but for a NUL that PCK chains end with. */
function asText(file: Buffer): string | undefined {
  const end = file.at(-1) === 0 ? file.length - 1 : file.length;
  for (let at = 0; at < end; at++) {
    const byte = file[at] as number;
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return undefined;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(0, end));
  } catch {
    return undefined;
  }
}

function pem(text: string): Inspection {
  const crl = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/.exec(text);
  if (crl?.[1] !== undefined) return inspectCrl(Buffer.from(crl[1], 'base64'));
  const [first, ...others] = certificateBlocks(text);
  if (first === undefined) throw unknown('It is PEM, but neither a certificate nor a CRL.');
  const raTls = others.length === 0 ? inspectRaTls(new X509Certificate(first)) : undefined;
  return raTls ?? inspectCertificates(text);
}

function json(text: string): Inspection {
  const value = JSON.parse(text) as Record<string, unknown>;
  const has = (name: string): boolean => Object.hasOwn(value, name);
  if (has('tcb_info') && has('qe_identity')) return inspectBundle(text);
  if (has('tcbInfo')) return inspectTcbInfo(text, true);
  if (has('enclaveIdentity')) return inspectQeIdentity(text, true);
  if (has('fmspc') && has('tcbLevels')) return inspectTcbInfo(text, false);
  if (has('mrsigner') && has('isvprodid')) return inspectQeIdentity(text, false);
  throw unknown('It is JSON, but none of the known documents.');
}

const DER_SEQUENCE = 0x30;
/** Header of a quote; less is no quote, even a damaged one. */
const MIN_HEADER_BYTES = 48;

function binary(bytes: Buffer): Inspection {
  if (bytes.length === 0) throw unknown('It is empty.');
  if (isSigstruct(bytes)) return inspectSigstruct(bytes);
  if (bytes[0] === DER_SEQUENCE) return der(bytes);
  const version = bytes.length >= 4 ? bytes.readUInt16LE(0) : 0;
  if (hasOpenEnclaveHeader(bytes) || (version >= 1 && version <= 5 && bytes.length > MIN_HEADER_BYTES))
    return inspectQuote(bytes);
  throw unknown(`It is ${bytes.length} bytes without a known beginning.`);
}

function der(bytes: Buffer): Inspection {
  let certificate: X509Certificate;
  try {
    // As PEM: given DER, the parser prefers any PEM inside of it, and an RA-TLS certificate has a PCK chain in its quote.
    certificate = new X509Certificate(encodePem(bytes));
  } catch {
    return inspectCrl(bytes);
  }
  return inspectRaTls(certificate) ?? inspectCertificates(certificate.toString());
}

const unknown = (why: string): CliError =>
  CliError.of('FORMAT_UNKNOWN', `The file is nothing that is known here. ${why}`);
