import { type ErrorCode, SiegelError } from '#contracts';
import type { CertificateGrant, Grants } from '#policy';
import type { Carrier } from '../../../pipeline/interface.js';
import type { CertificateRequest } from './certificate-request.js';

type Asked = Pick<CertificateRequest, 'configId' | 'dns' | 'ips' | 'uris'>;

/**
 * An em-app boots for its certificate alone: no secret is read for it then. The names that the manifest grants are those that may be
 * asked for; a certificate has those that were, or all where none was.
 */
export class CertificateCarrier implements Carrier {
  constructor(
    private readonly asked: Asked,
    private readonly longestSeconds: number,
  ) {}

  /** @throws SiegelError RELEASE_DENIED, CONFIGURATION_NOT_ALLOWED, NAME_NOT_ALLOWED */
  select({ argv: _argv, ...grants }: Grants): Grants {
    const { fortanix, certificate } = grants;
    if (!fortanix) throw denied('RELEASE_DENIED', 'FORTANIX_NOT_GRANTED', 'the workload has no "fortanix"');
    if (!certificate)
      throw denied('RELEASE_DENIED', 'FORTANIX_CERTIFICATE_MISSING', 'the workload has no "certificate"');
    requireConfiguration(this.asked.configId, [...fortanix.configurations.keys()]);
    return { ...grants, secrets: [], env: {}, certificate: this.narrowed(certificate) };
  }

  accept(): void {
    // A certificate is all there is.
  }

  private narrowed(granted: CertificateGrant): CertificateGrant {
    const { dns, ips, uris } = this.asked;
    const { ips: grantedIps = [], spiffeId, ...rest } = granted;
    const foreign = [
      ...dns.filter((name) => !granted.dns.includes(name)),
      ...ips.filter((ip) => !grantedIps.includes(ip)),
      ...uris.filter((uri) => uri !== spiffeId),
    ];
    if (foreign.length > 0) {
      const names = foreign.map((name) => JSON.stringify(name.slice(0, 80))).join(', ');
      throw denied('NAME_NOT_ALLOWED', 'NAME_NOT_ALLOWED', `asked for ${names}`);
    }
    const all = dns.length + ips.length + uris.length === 0;
    const kept = all ? grantedIps : ips;
    return {
      ...rest,
      dns: all ? granted.dns : dns,
      ...(kept.length > 0 ? { ips: kept } : {}),
      ...(spiffeId === undefined ? {} : { spiffeId }),
      ttlSeconds: Math.min(granted.ttlSeconds, this.longestSeconds),
    };
  }
}

function requireConfiguration(named: Buffer | undefined, known: readonly string[]): void {
  if (named === undefined && known.length === 0) return;
  const id = named?.toString('hex');
  if (id !== undefined && known.includes(id)) return;
  throw denied(
    'CONFIGURATION_NOT_ALLOWED',
    'CONFIGURATION_NOT_ALLOWED',
    `the enclave was started with ${id === undefined ? 'no configuration' : `configuration ${id}`}; the manifest has ${known.join(', ') || 'none'}`,
  );
}

const denied = (error: ErrorCode, code: string, message: string): SiegelError =>
  new SiegelError(error, { reason: { code, message: message.slice(0, 1_000) } });
