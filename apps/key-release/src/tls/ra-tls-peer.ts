import { SiegelError } from '#contracts';
import { EvidenceError, parseRaTlsCertificate, type RaTlsEvidence } from '#evidence';
import { PkiError, PublicKey } from '#pki';
import type { TLSSocket } from 'node:tls';
import type { AttestationInput } from '../pipeline/interface.js';

/** Who is at the other end of a TLS connection: its key, proven by the handshake, and the evidence that its certificate carries. */
export interface RaTlsPeer {
  readonly evidence: RaTlsEvidence;
  readonly key: PublicKey;
}

/**
 * Reads the certificate of a connection as RA-TLS evidence. No authority is asked: what the certificate is worth is in its quote.
 *
 * @param certificate DER, of the present handshake; undefined where the client presented none
 * @throws SiegelError EVIDENCE_MALFORMED, PUBLIC_KEY_INVALID with the reader's code as the operator's reason
 */
export function raTlsPeer(certificate: Uint8Array | undefined): RaTlsPeer {
  if (certificate === undefined)
    throw malformed('CERTIFICATE_MISSING', 'the client presented no certificate');
  const evidence = readEvidence(certificate);
  return { evidence, key: keyOf(evidence) };
}

/**
 * The certificate of a connection's own handshake, which has proven its key.
 *
 * @throws SiegelError EVIDENCE_MALFORMED for a resumed session: it would show the certificate of an earlier handshake
 */
export function certificateOf(socket: TLSSocket): Buffer | undefined {
  if (socket.isSessionReused())
    throw malformed('TLS_SESSION_RESUMED', 'the TLS session was resumed; connect anew');
  return socket.getPeerX509Certificate()?.raw;
}

/** The part of the pipeline's input that the certificate settles. */
export function attestationInput({
  evidence,
  key,
}: RaTlsPeer): Pick<AttestationInput, 'evidence' | 'format' | 'binding' | 'customClaims'> {
  const { quote, convention, claims, customClaims } = evidence;
  return {
    evidence: quote,
    format: 'dcap',
    binding: { convention, key, ...(claims ? { claims } : {}) },
    customClaims: Object.fromEntries([...customClaims].map(([name, value]) => [name, value.toString('hex')])),
  };
}

function readEvidence(certificate: Uint8Array): RaTlsEvidence {
  try {
    return parseRaTlsCertificate(certificate);
  } catch (error) {
    if (error instanceof EvidenceError) throw malformed(error.code, error.message, error);
    throw error;
  }
}

function keyOf({ publicKeySpki }: RaTlsEvidence): PublicKey {
  try {
    return PublicKey.fromSpki(publicKeySpki);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw new SiegelError('PUBLIC_KEY_INVALID', {
      reason: { code: error.code, message: error.message },
      cause: error,
    });
  }
}

const malformed = (code: string, message: string, cause?: unknown): SiegelError =>
  new SiegelError('EVIDENCE_MALFORMED', {
    detail: message.slice(0, 300),
    reason: { code, message: message.slice(0, 1_000) },
    cause,
  });
