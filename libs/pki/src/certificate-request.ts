import 'reflect-metadata';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { fromPem } from './certificate-pem.js';
import { openCsrEnvelope, verifyCsrSignature } from './csr-signature.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';

/** A certificate request whose signature has been verified. What it asks for is the requester's wish, no more. */
export interface ParsedCsr {
  key: PublicKey;
  /** RFC 4514 text of the subject. */
  subject: string;
  commonName?: string;
  dns: string[];
  ips: string[];
  uris: string[];
  /** Requested extensions as they stand there; a wrapper's evidence may be one of them. */
  extensions: { oid: string; critical: boolean; value: Buffer }[];
  der: Buffer;
}

/** Default bound in octets of DER: requests may carry a quote with its collateral in an extension. */
export const MAX_CSR_BYTES = 64 * 1024;

/**
 * Parses one PKCS#10 request (RFC 2986), PEM or DER, and verifies its signature with the key in it. Throws
 * CSR_TOO_LARGE, CSR_MALFORMED, CSR_SIGNATURE_INVALID and what `PublicKey.fromSpki` throws.
 */
export function parseCsr(csr: string | Uint8Array, { maxBytes = MAX_CSR_BYTES } = {}): ParsedCsr {
  const der = requestDer(csr, maxBytes);
  const envelope = openCsrEnvelope(der);
  if (envelope === undefined) throw new PkiError('CSR_MALFORMED', 'not exactly one DER request');
  let request: Pkcs10CertificateRequest;
  let parsed: Omit<ParsedCsr, 'key' | 'der'>;
  let spki: Uint8Array;
  try {
    request = new Pkcs10CertificateRequest(new Uint8Array(der));
    spki = new Uint8Array(request.publicKey.rawData);
    parsed = contentOf(request);
  } catch (cause) {
    throw new PkiError('CSR_MALFORMED', undefined, { cause });
  }
  const key = PublicKey.fromSpki(spki);
  if (!key.canSign) throw new PkiError('KEY_NOT_USABLE', key.kind);
  if (!verifyCsrSignature(envelope, key)) throw new PkiError('CSR_SIGNATURE_INVALID');
  return { ...parsed, key, der };
}

function requestDer(csr: string | Uint8Array, maxBytes: number): Buffer {
  // PEM takes a third more than its DER, and line ends.
  const limit = typeof csr === 'string' ? Math.ceil(maxBytes * 1.4) + 256 : maxBytes;
  if (csr.length > limit) throw new PkiError('CSR_TOO_LARGE', `limit ${maxBytes}`);
  const text =
    typeof csr === 'string' ? csr : csr[0] === 0x2d ? Buffer.from(csr).toString('latin1') : undefined;
  if (text === undefined) return Buffer.from(csr as Uint8Array);
  const blocks = [
    ...(fromPem('CERTIFICATE REQUEST', text) ?? []),
    ...(fromPem('NEW CERTIFICATE REQUEST', text) ?? []),
  ];
  const [der] = blocks;
  if (der === undefined || blocks.length !== 1)
    throw new PkiError('CSR_MALFORMED', 'not one PEM certificate request');
  if (der.length > maxBytes) throw new PkiError('CSR_TOO_LARGE', `limit ${maxBytes}`);
  return der;
}

function contentOf(request: Pkcs10CertificateRequest): Omit<ParsedCsr, 'key' | 'der'> {
  const names =
    request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const valuesOf = (type: string): string[] =>
    names.filter((name) => name.type === type).map(({ value }) => value);
  const [commonName] = request.subjectName.getField('CN');
  return {
    subject: request.subject,
    ...(commonName === undefined ? {} : { commonName }),
    dns: valuesOf('dns'),
    ips: valuesOf('ip'),
    uris: valuesOf('url'),
    extensions: request.extensions.map(({ type, critical, value }) => ({
      oid: type,
      critical,
      value: Buffer.from(value),
    })),
  };
}
