import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509';
import type { TLSSocket } from 'node:tls';
import type { CertificateSettings } from './access-settings.js';
import { CredentialRefused } from './credential-refused.js';
import { type Grant, Principal } from './roles.js';

const KINDS: Readonly<Record<string, string>> = { url: 'uri', dns: 'dns', email: 'email' };
const MAX_NAMES = 64;

interface Known {
  readonly notAfter: number;
  readonly principal: Principal;
}

/**
 * Client certificates. That a chain leads to the configured authority, is for clients and not revoked is OpenSSL's verdict
 * (`socket.authorized`); which roles its names mean is ours. A name that stands in a certificate and in no entry grants nothing.
 */
export class ClientCertificates {
  /** A connection keeps its certificate; only its end is asked for again. */
  private readonly known = new WeakMap<TLSSocket, Known>();

  constructor(private readonly certificates: readonly CertificateSettings[]) {}

  /** Whose connection it is; undefined if it brought no certificate. @throws CredentialRefused */
  principal(socket: TLSSocket, now = Date.now()): Principal | undefined {
    const known = this.known.get(socket) ?? this.read(socket);
    if (!known) return undefined;
    if (now > known.notAfter) throw new CredentialRefused('the client certificate has expired');
    return known.principal;
  }

  private read(socket: TLSSocket): Known | undefined {
    const peer = socket.getPeerX509Certificate?.();
    if (!peer) return undefined;
    if (!socket.authorized)
      throw new CredentialRefused(
        `the client certificate does not verify: ${String(socket.authorizationError)}`,
      );
    const certificate = new X509Certificate(peer.raw);
    const known = { notAfter: certificate.notAfter.getTime(), principal: this.principalOf(certificate) };
    this.known.set(socket, known);
    return known;
  }

  /** Who a certificate that verified stands for: all entries that its names satisfy. */
  principalOf(certificate: X509Certificate): Principal {
    const names = alternativeNames(certificate);
    const grants = this.certificates
      .filter(({ san, subject }) =>
        san === undefined ? hasAttributes(certificate, subject!) : names.includes(san),
      )
      .flatMap(({ roles, tenants }) => roles.map((role): Grant => ({ role, tenants })));
    const name = names[0] ?? certificate.subject;
    return new Principal(`cert:${name.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 100)}`, grants);
  }
}

function alternativeNames(certificate: X509Certificate): string[] {
  const extension = certificate.getExtension(SubjectAlternativeNameExtension);
  return (extension?.names.items ?? []).slice(0, MAX_NAMES).flatMap(({ type, value }) => {
    const kind = KINDS[type];
    return kind === undefined ? [] : [`${kind}:${value}`];
  });
}

/** Each attribute exactly once: a second CN would be a choice that somebody else makes. */
function hasAttributes(certificate: X509Certificate, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([type, value]) => {
    const values = certificate.subjectName.getField(type);
    return values.length === 1 && values[0] === value;
  });
}
