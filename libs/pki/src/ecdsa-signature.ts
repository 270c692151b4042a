import { asBuffer } from './base64url.js';

/**
 * Conversion between the two spellings of an ECDSA signature: ECDSA-Sig-Value (SEQUENCE of two INTEGERs, RFC 3279
 * §2.2.3) and the fixed-length r‖s of JOSE (RFC 7518 §3.4). Done here and not by `dsaEncoding: 'ieee-p1363'`
 * because under OpenSSL 3.5 that option costs as much again as the signature (docs/decisions/0001).
 */

/** r‖s of twice `fieldBytes`, or undefined when `der` is not exactly one valid ECDSA-Sig-Value of that size. */
export function ecdsaDerToRaw(der: Uint8Array, fieldBytes: number): Buffer | undefined {
  const out = Buffer.alloc(2 * fieldBytes);
  let at = 1;
  if (der[0] !== 0x30) return undefined;
  let length = der[at++] ?? 0;
  if (length === 0x81) {
    length = der[at++] ?? 0;
    if (length < 0x80) return undefined;
  } else if (length > 0x7f) return undefined;
  if (at + length !== der.length) return undefined;
  for (let half = 0; half < 2; half += 1) {
    const size = der[at + 1] ?? 0;
    const first = der[at + 2] ?? 0;
    if (der[at] !== 0x02 || size === 0 || size > 0x7f || at + 2 + size > der.length || first >= 0x80)
      return undefined;
    const padded = first === 0 && size > 1;
    if (padded && (der[at + 3] ?? 0) < 0x80) return undefined;
    const digits = asBuffer(der).subarray(at + (padded ? 3 : 2), at + 2 + size);
    if (digits.length > fieldBytes) return undefined;
    out.set(digits, (half + 1) * fieldBytes - digits.length);
    at += 2 + size;
  }
  return at === der.length ? out : undefined;
}

/** ECDSA-Sig-Value of an r‖s signature; the caller has checked the length. */
export function ecdsaRawToDer(raw: Uint8Array): Buffer {
  const half = raw.length >> 1;
  const r = magnitude(raw, 0, half);
  const s = magnitude(raw, half, raw.length);
  const content = 4 + r.size + s.size;
  const long = content > 0x7f;
  const out = Buffer.alloc(content + (long ? 3 : 2));
  out[0] = 0x30;
  if (long) out[1] = 0x81;
  out[long ? 2 : 1] = content;
  let at = long ? 3 : 2;
  for (const part of [r, s]) {
    out[at] = 0x02;
    out[at + 1] = part.size;
    out.set(asBuffer(raw).subarray(part.start, part.end), at + 2 + part.size - (part.end - part.start));
    at += 2 + part.size;
  }
  return out;
}

function magnitude(raw: Uint8Array, from: number, end: number): { start: number; end: number; size: number } {
  let start = from;
  while (start < end - 1 && raw[start] === 0) start += 1;
  return { start, end, size: end - start + ((raw[start] ?? 0) >= 0x80 ? 1 : 0) };
}
