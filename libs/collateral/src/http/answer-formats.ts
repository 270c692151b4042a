import { DcapError, splitSignedDocument } from '#dcap';
import { SourceError } from '../sources/collateral-source.js';
import type { HttpAnswer } from './bounded-client.js';

const DER_SEQUENCE = 0x30;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;
const CRL_BLOCK = /^\s*-----BEGIN X509 CRL-----\s+([\sA-Za-z0-9+/]+={0,2})\s+-----END X509 CRL-----\s*$/;
const MAX_CHAIN = 4;

/** The body as text; refuses what is not UTF-8. */
export function textBody(source: string, answer: HttpAnswer): string {
  try {
    return UTF8.decode(answer.body);
  } catch {
    throw new SourceError(source, 'malformed', 'the body is not UTF-8');
  }
}

/** The issuer chain from the first of these headers that is there: percent-encoded PEM (PCS API v4). */
export function chainHeader(source: string, answer: HttpAnswer, names: readonly string[]): string {
  for (const name of names) {
    const value = answer.header(name.toLowerCase());
    if (value === undefined || value === '') continue;
    let text: string;
    try {
      text = decodeURIComponent(value);
    } catch {
      throw new SourceError(source, 'malformed', `the header ${name} is not percent-encoded text`);
    }
    return canonicalChain(source, text);
  }
  throw new SourceError(source, 'malformed', `the header ${names[0]} is missing`);
}

/** Sources differ in line ends and in what stands between certificates; the blocks are all that counts. */
export function canonicalChain(source: string, text: string): string {
  const blocks = text.match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_CHAIN)
    throw new SourceError(source, 'malformed', `a chain has ${blocks.length} certificates`);
  return blocks
    .map((block) => pem('CERTIFICATE', base64Of(source, block.replaceAll(/-----[A-Z ]+-----/g, ''))))
    .join('');
}

/**
 * A CRL as DER in hex. PCS answers DER or PEM, a PCCS answers hex text under a content type that says PEM
 * (PCCS services/pckcrlService.js), so that the bytes decide and not the content type.
 */
export function crlBody(source: string, answer: HttpAnswer): string {
  const { body } = answer;
  if (body[0] === DER_SEQUENCE && body[1] !== undefined && body[1] >= 0x80) return body.toString('hex');
  const text = textBody(source, answer).trim();
  if (text.length > 0 && text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text)) return text.toLowerCase();
  const found = CRL_BLOCK.exec(text)?.[1];
  if (found === undefined) throw new SourceError(source, 'malformed', 'a CRL is neither DER nor PEM nor hex');
  return base64Of(source, found).toString('hex');
}

/** Cuts `{"tcbInfo":{…},"signature":"…"}` into the exact text that was signed and the signature in hex. */
export function signedDocument(
  source: string,
  answer: HttpAnswer,
  document: 'tcbInfo' | 'enclaveIdentity',
): { body: string; signature: string } {
  try {
    return splitSignedDocument(textBody(source, answer), document);
  } catch (error) {
    if (error instanceof DcapError)
      throw new SourceError(source, 'malformed', `${document}: ${error.message}`, { cause: error });
    throw error;
  }
}

function base64Of(source: string, text: string): Buffer {
  const compact = text.replaceAll(/\s+/g, '');
  const bytes = Buffer.from(compact, 'base64');
  // Node skips what is not base64; only a text that comes back the same was base64.
  if (bytes.length === 0 || bytes.toString('base64') !== compact)
    throw new SourceError(source, 'malformed', 'a PEM block is not canonical base64');
  return bytes;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
