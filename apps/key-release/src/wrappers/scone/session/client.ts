import { hash, timingSafeEqual, X509Certificate } from 'node:crypto';

/** Whoever is at the other end of a connection; the handshake has proven the certificate's key. */
export interface SconeClient {
  /** Undefined for a client without a certificate. */
  readonly certificate: X509Certificate | undefined;
  /** SHA-256 of the certificate's SPKI, hex. */
  readonly key: string | undefined;
  /** For events. */
  readonly actor: string;
  readonly source: string;
}

export function clientOf(certificateDer: Buffer | undefined, source: string): SconeClient {
  const certificate = certificateDer && new X509Certificate(certificateDer);
  const key = certificate && keyHashOf(certificate);
  return { certificate, key, actor: key === undefined ? 'anonymous' : `key:${key}`, source };
}

export function keyHashOf(certificate: X509Certificate): string {
  return hash('sha256', certificate.publicKey.export({ format: 'der', type: 'spki' }), 'hex');
}

/** In constant time. */
export function sameHash(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
