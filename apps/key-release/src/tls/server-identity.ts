import { type CertificateIssuer, LocalSigner, PublicKey } from '#pki';
import { ConfigurationError } from '#platform';
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ServerOptions } from 'node:https';
import type { KeyReleaseEnvironment } from '../environment.js';

export interface ServerIdentity {
  readonly cert: string;
  readonly key: string;
  /** When to make a new one; absent where the operator provides the files. */
  readonly renewAt?: Date;
}

/** Under a root with short-lived intermediates it is what those allow. */
const LIFETIME_SECONDS = 30 * 24 * 3_600;

/** The TLS identity of this server: the operator's files, or a certificate of the mesh CA over a key that lives in memory alone. */
export async function serverIdentity(
  environment: KeyReleaseEnvironment,
  ca: CertificateIssuer,
  now: Date,
): Promise<ServerIdentity> {
  const { SIEGEL_TLS_CERT_FILE: certFile, SIEGEL_TLS_KEY_FILE: keyFile } = environment;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new ConfigurationError([
      {
        variable: certFile === undefined ? 'SIEGEL_TLS_CERT_FILE' : 'SIEGEL_TLS_KEY_FILE',
        message: 'certificate and key file belong together',
      },
    ]);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }
  const signer = LocalSigner.generate('ES256');
  const names = environment.SIEGEL_TLS_NAMES.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const ttlSeconds = Math.min(LIFETIME_SECONDS, ca.maxLeafTtlSeconds);
  const leaf = await ca.issueLeaf({
    spki: PublicKey.fromKeyObject(signer.publicKey),
    dns: names.filter((name) => isIP(name) === 0),
    ips: names.filter((name) => isIP(name) !== 0),
    spiffeId: `spiffe://${environment.SIEGEL_TRUST_DOMAIN}/siegel/key-release`,
    ttlSeconds,
    now,
  });
  const renewAt = new Date((now.getTime() + leaf.notAfter.getTime()) / 2);
  return { cert: leaf.chainPem, key: signer.toPem(), renewAt };
}

/**
 * TLS of the enclaves' endpoint.
 *
 * @param clientCertificates whether clients are asked for one. None is judged here: those of enclaves are signed by themselves, and
 *   what they are worth is in their quote.
 */
export function tlsOptions(identity: ServerIdentity, clientCertificates = false): ServerOptions {
  const { cert, key } = identity;
  const common: ServerOptions = { cert, key, minVersion: 'TLSv1.2', honorCipherOrder: true };
  if (!clientCertificates) return common;
  // A resumed session would come with the certificate of an earlier handshake.
  const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;
  return { ...common, requestCert: true, rejectUnauthorized: false, secureOptions };
}
