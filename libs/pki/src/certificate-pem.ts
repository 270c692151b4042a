import { asBuffer } from './base64url.js';

/** PEM of DER: lines of 64 characters (RFC 7468 §2). */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = asBuffer(der).toString('base64');
  let body = '';
  for (let at = 0; at < base64.length; at += 64) body += `${base64.slice(at, at + 64)}\n`;
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

/** The DER of all blocks with that label, in order; undefined when the text holds anything malformed. */
export function fromPem(label: string, text: string): Buffer[] | undefined {
  const found: Buffer[] = [];
  const block = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\r\n]*)-----END ([A-Z0-9 ]{1,40})-----/g;
  let count = 0;
  for (const [, begin, body = '', end] of text.matchAll(block)) {
    count += 1;
    if (begin !== end) return undefined;
    if (begin !== label) continue;
    const base64 = body.replace(/[\r\n]/g, '');
    const der = Buffer.from(base64, 'base64');
    if (der.length === 0 || der.toString('base64') !== base64) return undefined;
    found.push(der);
  }
  return text.split('-----BEGIN ').length - 1 === count ? found : undefined;
}
