import { DcapError } from './error.js';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
/** A PCK leaf has about 1.3 KB. */
const MAX_CERTIFICATE_CHARS = 16 * 1024;
const MAX_CERTIFICATES = 4;

/** One certificate of a chain: the PEM text, from the first dash to the last, and what decodes it. */
export interface PemBlock {
  readonly text: string;
  /** Throws DcapError PEM_INVALID unless the text is the canonical encoding of some bytes. */
  decode(): Buffer;
}

function fail(what: string): never {
  throw new DcapError('PEM_INVALID', `PEM: ${what}`);
}

/**
 * Splits a PEM chain (RFC 7468). Only a canonical encoding passes: within a certificate lines of one length (real
 * quotes have 64 and 76), one kind of line end throughout, canonical base64; between certificates one line end or, as
 * in some real quotes, none; at the end at most one line end and, as the quoting library writes it, one NUL. So no
 * byte of a chain can change without changing a certificate.
 */
export function splitPemChain(chain: string | Uint8Array): Buffer[] {
  return pemBlocks(chain).map((block) => block.decode());
}

/** As {@link splitPemChain}, for callers that know some of the certificates by their text. */
export function pemBlocks(chain: string | Uint8Array): PemBlock[] {
  const text = typeof chain === 'string' ? chain : latin1(chain);
  const blocks: PemBlock[] = [];
  const newline = text.startsWith(`${BEGIN}\r\n`) ? '\r\n' : '\n';
  let at = 0;
  for (;;) {
    if (blocks.length === MAX_CERTIFICATES) fail('too many certificates');
    const end = text.indexOf(END, at);
    if (end < 0) fail('no end of a certificate');
    const stop = end + END.length;
    if (stop - at > MAX_CERTIFICATE_CHARS) fail('a certificate is too large');
    const block = text.slice(at, stop);
    blocks.push({ text: block, decode: () => decode(block, newline) });
    const tail = text.slice(stop, stop + newline.length + 2);
    if (tail === '' || tail === newline || tail === `${newline}\0`) return blocks;
    at = text.startsWith(newline, stop) ? stop + newline.length : stop;
    if (!text.startsWith(BEGIN, at)) fail('text between or after the certificates');
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function decode(block: string, newline: string): Buffer {
  const start = BEGIN.length + newline.length;
  const der = Buffer.from(block.slice(start, block.length - END.length), 'base64');
  const width = block.indexOf(newline, start) - start;
  if (width < 4 || encodePem(der, newline, width) !== block) fail('a certificate is not canonical');
  return der;
}

/** The canonical PEM text of a certificate, without a line end after it. */
export function encodePem(der: Buffer, newline = '\n', width = 64): string {
  const base64 = der.toString('base64');
  let text = BEGIN + newline;
  for (let at = 0; at < base64.length; at += width) text += base64.slice(at, at + width) + newline;
  return text + END;
}

/** The DER of the only certificate in a text that people wrote: surrounding text and line lengths do not matter. */
export function singleCertificateFromText(text: string): Buffer {
  const pattern = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
  const [found, another] = [...text.matchAll(pattern)];
  if (found?.[1] === undefined || another !== undefined) fail('not exactly one certificate');
  return Buffer.from(found[1], 'base64');
}
