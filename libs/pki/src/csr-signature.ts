import { verify } from 'node:crypto';
import { derNull, derOid, derSequence } from './der-writer.js';
import { ecdsaDerToRaw } from './ecdsa-signature.js';
import { CURVES } from './key-kinds.js';
import type { PublicKey } from './public-key.js';

/** The three parts of a signed request (RFC 2986 §4.2), as they stand in it. */
export interface CsrEnvelope {
  /** DER of CertificationRequestInfo: what is signed. */
  info: Buffer;
  /** DER of the AlgorithmIdentifier. */
  algorithm: Buffer;
  signature: Buffer;
}

/**
 * Takes the outer structure apart, strictly: definite minimal lengths, nothing after any part, no unused bits.
 * Undefined otherwise. The general parser is lenient there, which would let one request be written in many ways.
 */
export function openCsrEnvelope(der: Buffer): CsrEnvelope | undefined {
  const outer = readElement(der, 0, 0x30);
  if (outer === undefined || outer.end !== der.length) return undefined;
  const info = readElement(der, outer.start, 0x30);
  const algorithm = info && readElement(der, info.end, 0x30);
  const bits = algorithm && readElement(der, algorithm.end, 0x03);
  if (bits === undefined || bits.end !== der.length || der[bits.start] !== 0) return undefined;
  return {
    info: der.subarray(outer.start, info?.end),
    algorithm: der.subarray(info?.end, algorithm?.end),
    signature: der.subarray(bits.start + 1, bits.end),
  };
}

interface SignatureAlgorithm {
  der: Buffer;
  family: 'EC' | 'RSA' | 'Ed25519';
  hash: string | null;
}

const ALGORITHMS: readonly SignatureAlgorithm[] = [
  { der: derSequence(derOid('1.2.840.10045.4.3.2')), family: 'EC', hash: 'sha256' },
  { der: derSequence(derOid('1.2.840.10045.4.3.3')), family: 'EC', hash: 'sha384' },
  { der: derSequence(derOid('1.2.840.10045.4.3.4')), family: 'EC', hash: 'sha512' },
  { der: derSequence(derOid('1.2.840.113549.1.1.11'), derNull), family: 'RSA', hash: 'sha256' },
  { der: derSequence(derOid('1.2.840.113549.1.1.12'), derNull), family: 'RSA', hash: 'sha384' },
  { der: derSequence(derOid('1.2.840.113549.1.1.13'), derNull), family: 'RSA', hash: 'sha512' },
  { der: derSequence(derOid('1.3.101.112')), family: 'Ed25519', hash: null },
];

/** Whether the request is signed by its key, with one of the algorithms that fit the kind of the key. */
export function verifyCsrSignature({ info, algorithm, signature }: CsrEnvelope, key: PublicKey): boolean {
  const used = ALGORITHMS.find(({ der }) => der.equals(algorithm));
  if (used === undefined || key.kind === 'X25519') return false;
  const family = key.kind === 'RSA' || key.kind === 'Ed25519' ? key.kind : 'EC';
  if (family !== used.family) return false;
  // OpenSSL would take some non-minimal spellings of an ECDSA signature.
  if (
    key.kind !== 'RSA' &&
    family === 'EC' &&
    ecdsaDerToRaw(signature, CURVES[key.kind].fieldBytes) === undefined
  )
    return false;
  return verify(used.hash, info, key.keyObject, signature);
}

/** The content of the element at `at` when it has that tag, a minimal length, and lies within the bytes. */
function readElement(der: Buffer, at: number, tag: number): { start: number; end: number } | undefined {
  const first = der[at + 1] ?? 0x80;
  if (der[at] !== tag) return undefined;
  if (first < 0x80) return within(der, at + 2, first);
  const octets = first & 0x7f;
  if (octets < 1 || octets > 3 || at + 2 + octets > der.length) return undefined;
  const length = der.readUIntBE(at + 2, octets);
  const minimal = length >= (octets === 1 ? 0x80 : 2 ** (8 * (octets - 1)));
  return minimal ? within(der, at + 2 + octets, length) : undefined;
}

function within(der: Buffer, start: number, length: number): { start: number; end: number } | undefined {
  return start + length <= der.length ? { start, end: start + length } : undefined;
}
