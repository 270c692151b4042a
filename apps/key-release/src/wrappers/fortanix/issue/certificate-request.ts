import { SiegelError } from '#contracts';
import {
  EmAppError,
  embeddedCertificates,
  namedConfigId,
  openAttestationCertificate,
  readEmAppRequest,
  requireEnclave,
} from '#evidence';
import { isDnsName, isPkiError, parseCsr, type PublicKey } from '#pki';

/** What a certificate request of em-app holds, read but not believed: the quote is verified by the pipeline. */
export interface CertificateRequest {
  readonly key: PublicKey;
  readonly quote: Buffer;
  /** The configuration that the report data name. */
  readonly configId?: Buffer;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

/**
 * Reads CSR 2 of em-app (rust-sgx, em-app/src/platform/sgx.rs): its signature proves the key, its attribute carries nonce and quote in
 * place of the attestation certificate, and its subject must name the very enclave of the quote. A common name that could be
 * taken for a host's is asked for like an alternative name, as relying parties may still read it so.
 *
 * @throws SiegelError REQUEST_MALFORMED, EVIDENCE_MALFORMED, PUBLIC_KEY_INVALID; the operator's reason has the reader's code
 */
export function readCertificateRequest(pem: string): CertificateRequest {
  try {
    const { der, key, dns, ips, uris } = parseCsr(pem);
    const request = readEmAppRequest(der);
    const { app } = embeddedCertificates(request);
    const { quote, reportBody } = openAttestationCertificate(app);
    requireEnclave(request, reportBody);
    const configId = namedConfigId(request.enclave.reportData);
    return {
      key,
      quote,
      ...(configId ? { configId } : {}),
      dns: [...new Set([...hostName(request.commonName), ...dns.map((name) => name.toLowerCase())])],
      ips,
      uris,
    };
  } catch (error) {
    if (error instanceof EmAppError) throw refused('EVIDENCE_MALFORMED', error.code, error.message, error);
    if (!isPkiError(error)) throw error;
    const code = error.code.startsWith('KEY_') ? 'PUBLIC_KEY_INVALID' : 'REQUEST_MALFORMED';
    throw refused(code, error.code, error.message, error);
  }
}

function hostName(commonName = ''): string[] {
  const name = commonName.toLowerCase();
  return isDnsName(name) ? [name] : [];
}

const refused = (
  code: 'EVIDENCE_MALFORMED' | 'REQUEST_MALFORMED' | 'PUBLIC_KEY_INVALID',
  reason: string,
  message: string,
  cause: unknown,
): SiegelError =>
  new SiegelError(code, { reason: { code: reason, message: message.slice(0, 1_000) }, cause });
