import { isIPv4, isIPv6 } from 'node:net';
import { PkiError } from './pki-error.js';

/** The names that a certificate is asked to carry. */
export interface RequestedNames {
  dns?: readonly string[];
  ips?: readonly string[];
  /** Absolute URIs other than the SPIFFE ID. */
  uris?: readonly string[];
  spiffeId?: string;
}

/** The same, validated, in the order in which they stand in the certificate. */
export interface SubjectNames {
  dns: string[];
  ips: Buffer[];
  /** The SPIFFE ID, or the other URIs; never both. */
  uris: string[];
}

const MAX_NAMES = 100;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Validates names for a leaf of the trust domain. Throws NAME_INVALID, NAME_MISSING, NAMES_TOO_MANY,
 * SPIFFE_ID_INVALID (also for a further URI beside the SPIFFE ID: an X509-SVID has exactly one URI SAN).
 */
export function checkSubjectNames(requested: RequestedNames, trustDomain: string): SubjectNames {
  const { dns = [], ips = [], uris = [], spiffeId } = requested;
  const count = dns.length + ips.length + uris.length + (spiffeId === undefined ? 0 : 1);
  if (count === 0) throw new PkiError('NAME_MISSING');
  if (count > MAX_NAMES) throw new PkiError('NAMES_TOO_MANY', `${count}`);
  if (spiffeId !== undefined && uris.length > 0)
    throw new PkiError('SPIFFE_ID_INVALID', 'another URI beside it');
  for (const name of dns)
    if (!isDnsName(name)) throw new PkiError('NAME_INVALID', `DNS name ${printable(name)}`);
  for (const uri of uris) if (!isPlainUri(uri)) throw new PkiError('NAME_INVALID', `URI ${printable(uri)}`);
  if (spiffeId !== undefined && !isSpiffeId(spiffeId, trustDomain)) {
    throw new PkiError('SPIFFE_ID_INVALID', `${printable(spiffeId)} in trust domain ${trustDomain}`);
  }
  return { dns: [...dns], ips: ips.map(ipOctets), uris: spiffeId === undefined ? [...uris] : [spiffeId] };
}

/** Lower-case LDH name of at most 253 characters; `*` only as the whole leftmost label of three or more. */
export function isDnsName(name: string): boolean {
  if (typeof name !== 'string' || name.length > 253) return false;
  const labels = name.split('.');
  const plain = labels[0] === '*' && labels.length >= 3 ? labels.slice(1) : labels;
  // A name of digits alone would be read as an IPv4 address by some verifiers.
  return plain.every((label) => LABEL.test(label)) && !/^\d+$/.test(plain.at(-1) ?? '');
}

/** A trust domain name (SPIFFE ID §2.1): at most 255 of a–z 0–9 . - _ and not empty. */
export function isTrustDomain(name: string): boolean {
  return /^[a-z0-9._-]{1,255}$/.test(name);
}

/** A SPIFFE ID with a path, in the trust domain, of at most 2048 octets (SPIFFE ID §2). */
export function isSpiffeId(id: string, trustDomain: string): boolean {
  const start = `spiffe://${trustDomain}/`;
  if (typeof id !== 'string' || id.length > 2048 || !id.startsWith(start)) return false;
  return id
    .slice(start.length)
    .split('/')
    .every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && segment !== '.' && segment !== '..');
}

/** The 4 or 16 octets of an IP address (RFC 5280 §4.2.1.6); NAME_INVALID for anything else, also zone ids. */
export function ipOctets(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  if (!isIPv6(ip) || ip.includes('%')) throw new PkiError('NAME_INVALID', `IP address ${printable(ip)}`);
  // A dotted tail stands for the last two groups.
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip);
  const hex = tail === null ? ip : `${tail[1]}${group(tail[2], tail[3])}:${group(tail[4], tail[5])}`;
  const [front = '', back] = hex.split('::');
  const head = front === '' ? [] : front.split(':');
  const rest = back === undefined || back === '' ? [] : back.split(':');
  const groups = [...head, ...Array<string>(8 - head.length - rest.length).fill('0'), ...rest];
  const out = Buffer.alloc(16);
  groups.forEach((text, index) => out.writeUInt16BE(parseInt(text, 16), 2 * index));
  return out;
}

const group = (high = '0', low = '0'): string => (Number(high) * 256 + Number(low)).toString(16);

function isPlainUri(uri: string): boolean {
  // A SPIFFE ID is granted by its own field, which binds it to the trust domain.
  if (typeof uri !== 'string' || uri.length > 2048 || /^spiffe:/i.test(uri)) return false;
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:[\x21-\x7e]+$/.test(uri) && URL.canParse(uri);
}

/** For error messages: bounded, and without control characters. */
function printable(name: unknown): string {
  return JSON.stringify(String(name).slice(0, 80));
}
