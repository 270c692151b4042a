import {
  MAX_CERTIFICATE_TTL_SECONDS,
  MAX_SESSION_SECONDS,
  MAX_TOKEN_TTL_SECONDS,
  MIN_CERTIFICATE_TTL_SECONDS,
  MIN_SESSION_SECONDS,
  MIN_TOKEN_TTL_SECONDS,
} from '../decision/grants.js';
import { durationSeconds } from '../manifest/formats.js';
import type { SessionPolicy } from '../manifest/schema.js';
import type { PathStep } from '../problem.js';
import { duplicates, error, section, warning } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

const WEEK = 7 * 86_400;

/** Lints the TLS certificate and the lifetimes of certificate, token and cached copies. */
export function lintLifetimes(view: WorkloadView, report: Report): void {
  lintCertificate(view, report);
  const session = section(view, 'session');
  if (session && !session.inherited) lintSession(session.value, session.path, report);
  for (const [index, { maxStale }] of (view.workload.secrets ?? []).entries()) {
    if (maxStale !== undefined && durationSeconds(maxStale) > WEEK) {
      const message =
        'a copy may be at most 7 days old: what was revoked in the vault would be released for so long';
      report(
        error('STALE_TOO_LONG', ['workloads', view.name, 'secrets', index, 'maxStale'], message, {
          suggestion: '1h',
        }),
      );
    }
  }
}

export function lintSession(
  { ttl, lifetime }: SessionPolicy,
  path: readonly PathStep[],
  report: Report,
): void {
  if (ttl !== undefined) lintTokenTtl(ttl, [...path, 'ttl'], report);
  if (lifetime === undefined) return;
  const seconds = durationSeconds(lifetime);
  if (seconds < MIN_SESSION_SECONDS || seconds > MAX_SESSION_SECONDS) {
    const suggestion = seconds < MIN_SESSION_SECONDS ? '1m' : '30d';
    report(error('TTL_OUT_OF_RANGE', [...path, 'lifetime'], 'a session lives 1m to 30d', { suggestion }));
  }
}

function lintTokenTtl(ttl: string, path: PathStep[], report: Report): void {
  const seconds = durationSeconds(ttl);
  if (seconds < MIN_TOKEN_TTL_SECONDS || seconds > MAX_TOKEN_TTL_SECONDS) {
    const suggestion = seconds < MIN_TOKEN_TTL_SECONDS ? '1m' : '15m';
    report(error('TTL_OUT_OF_RANGE', path, 'an attestation token lives 1m to 15m', { suggestion }));
  }
}

function lintCertificate({ name, workload }: WorkloadView, report: Report): void {
  const { certificate } = workload;
  if (!certificate) return;
  const path = ['workloads', name, 'certificate'];
  const { dns, ips, spiffe, ttl } = certificate;
  duplicates(dns, [...path, 'dns'], report);
  duplicates(ips, [...path, 'ips'], report);
  for (const [index, value] of (dns ?? []).entries()) {
    if (value.startsWith('*.')) {
      const message = `${value} would let this enclave be every service of that domain; name each service`;
      report(error('DNS_WILDCARD', [...path, 'dns', index], message));
    } else if (/^[0-9.]+$/.test(value)) {
      report(
        error(
          'DNS_NAME_INVALID',
          [...path, 'dns', index],
          `${value} is an IP address; it belongs into "ips"`,
        ),
      );
    }
  }
  if (!dns && !ips && spiffe === false) {
    report(
      error('CERTIFICATE_NAMELESS', path, 'a certificate needs a DNS name, an IP address or a SPIFFE ID', {
        at: 'key',
      }),
    );
  }
  if (ttl === undefined) return;
  const seconds = durationSeconds(ttl);
  if (seconds < MIN_CERTIFICATE_TTL_SECONDS || seconds > MAX_CERTIFICATE_TTL_SECONDS) {
    const suggestion = seconds < MIN_CERTIFICATE_TTL_SECONDS ? '5m' : '90d';
    report(error('TTL_OUT_OF_RANGE', [...path, 'ttl'], 'a certificate lives 5m to 90d', { suggestion }));
  } else if (seconds > WEEK) {
    const message = 'the certificate outlives every check of the platform by more than a week; prefer 24h';
    report(warning('TTL_LONG', [...path, 'ttl'], message, { suggestion: '24h' }));
  }
}
