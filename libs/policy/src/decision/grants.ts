import { durationSeconds } from '../manifest/formats.js';
import type { Manifest, SecretEntry, Workload } from '../manifest/schema.js';
import { fortanixGrant } from './fortanix-grant.js';
import type { GramineSection } from '../manifest/gramine-schema.js';
import { occlumForm, type OcclumSection } from '../manifest/occlum-schema.js';
import { secretAlias } from '../manifest/secret-alias.js';
import type { TrusteeSection } from '../manifest/trustee-schema.js';
import type {
  CertificateGrant,
  GramineGrant,
  Grants,
  OcclumAnswerGrant,
  OcclumGrant,
  ResourceGrant,
  SecretGrant,
} from './decision.js';

export const DEFAULT_CERTIFICATE_TTL_SECONDS = 24 * 3600;
export const MAX_CERTIFICATE_TTL_SECONDS = 90 * 86_400;
export const MIN_CERTIFICATE_TTL_SECONDS = 300;
export const MAX_TOKEN_TTL_SECONDS = 15 * 60;
export const MIN_TOKEN_TTL_SECONDS = 60;
export const DEFAULT_SESSION_SECONDS = 24 * 3600;
export const MAX_SESSION_SECONDS = 30 * 86_400;
export const MIN_SESSION_SECONDS = 60;
export const DEFAULT_FILE_MODE = '0400';

/** Where SPIFFE IDs of a manifest's workloads live. */
export interface SpiffeScope {
  readonly trustDomain?: string | undefined;
  readonly tenant: string;
}

/** What a workload receives when it is granted, frozen. Lifetimes are clamped to their bounds, which the lint also states. */
export function compileGrants(
  name: string,
  workload: Workload,
  defaults: Manifest['defaults'],
  scope: SpiffeScope,
): Grants {
  const { certificate, argv } = workload;
  const { ttl, lifetime, onDegraded } = workload.session ?? defaults?.session ?? {};
  const secrets = Object.freeze((workload.secrets ?? []).map(secretGrant));
  const grants: Grants = {
    secrets,
    ...(certificate ? { certificate: certificateGrant(name, certificate, scope) } : {}),
    ...(argv ? { argv: Object.freeze([...argv]) } : {}),
    ...(workload.gramine ? { gramine: gramineGrant(workload.gramine, workload.secrets ?? []) } : {}),
    ...(workload.occlum ? { occlum: occlumGrant(workload.occlum, secrets) } : {}),
    ...(workload.fortanix ? { fortanix: fortanixGrant(workload.fortanix, secrets) } : {}),
    ...(workload.trustee ? { trustee: resourceGrants(workload.trustee, secrets) } : {}),
    env: Object.freeze({ ...workload.env }),
    tokenTtlSeconds: clamp(ttl, MIN_TOKEN_TTL_SECONDS, MAX_TOKEN_TTL_SECONDS, MAX_TOKEN_TTL_SECONDS),
    sessionLifetimeSeconds: clamp(
      lifetime,
      MIN_SESSION_SECONDS,
      MAX_SESSION_SECONDS,
      DEFAULT_SESSION_SECONDS,
    ),
    onDegraded: onDegraded ?? 'event',
  };
  return Object.freeze(grants);
}

function gramineGrant(
  { delivery, secret, encoding }: GramineSection,
  secrets: readonly SecretEntry[],
): GramineGrant {
  // Without a name it is the only secret; that there is exactly one is the lint's to demand.
  const [only] = secrets;
  const chosen = delivery === 'json-bundle' ? undefined : (secret ?? (only && secretAlias(only)));
  return Object.freeze({
    delivery,
    ...(chosen === undefined ? {} : { secret: chosen }),
    encoding: encoding ?? 'none',
  });
}

function occlumGrant({ protocols, answers }: OcclumSection, secrets: readonly SecretGrant[]): OcclumGrant {
  const granted = answers.flatMap((answer): OcclumAnswerGrant[] => {
    const { name, service, secret: alias, encoding, length } = answer;
    // That there is exactly one is the lint's to demand; where it was not asked, there is no answer.
    const [secret, ...others] = secrets.filter(({ objectAlias }) => objectAlias === alias);
    if (secret === undefined || others.length > 0) return [];
    const optional = {
      ...(service === undefined ? {} : { service }),
      ...(length === undefined ? {} : { length }),
    };
    const form = occlumForm(answer);
    return [Object.freeze({ name, secret, form, encoding: encoding ?? 'none', ...optional })];
  });
  return Object.freeze({
    protocols: Object.freeze([...(protocols ?? ['aecs' as const])]),
    answers: Object.freeze(granted),
  });
}

function resourceGrants(
  { resources }: TrusteeSection,
  secrets: readonly SecretGrant[],
): ReadonlyMap<string, ResourceGrant> {
  const granted = new Map<string, ResourceGrant>();
  for (const { path, secret: alias, encoding } of resources) {
    // That there is exactly one is the lint's to demand; where it was not asked, there is no resource.
    const [secret, ...others] = secrets.filter(({ objectAlias }) => objectAlias === alias);
    if (secret && others.length === 0)
      granted.set(path, Object.freeze({ secret, encoding: encoding ?? 'none' }));
  }
  return granted;
}

function secretGrant(entry: SecretEntry): SecretGrant {
  const { vault, objectName, objectType, objectVersion, as, path, mode, allowExpired, maxStale } = entry;
  return Object.freeze({
    vault,
    objectName,
    objectType,
    objectAlias: secretAlias(entry),
    as,
    ...(objectVersion === undefined ? {} : { objectVersion }),
    ...(path === undefined ? {} : { path }),
    ...(as === 'file' ? { mode: (mode ?? DEFAULT_FILE_MODE).padStart(4, '0') } : {}),
    ...(allowExpired === undefined ? {} : { allowExpired }),
    ...(maxStale === undefined ? {} : { maxStaleSeconds: durationSeconds(maxStale) }),
  });
}

function certificateGrant(
  name: string,
  certificate: NonNullable<Workload['certificate']>,
  scope: SpiffeScope,
): CertificateGrant {
  const { dns, ips, spiffe, ttl } = certificate;
  const spiffeId =
    spiffe === false || scope.trustDomain === undefined
      ? undefined
      : `spiffe://${scope.trustDomain}/${scope.tenant}${spiffe ?? `/${name}`}`;
  return Object.freeze({
    dns: Object.freeze([...(dns ?? [])]),
    ...(ips ? { ips: Object.freeze([...ips]) } : {}),
    ...(spiffeId === undefined ? {} : { spiffeId }),
    ttlSeconds: clamp(
      ttl,
      MIN_CERTIFICATE_TTL_SECONDS,
      MAX_CERTIFICATE_TTL_SECONDS,
      DEFAULT_CERTIFICATE_TTL_SECONDS,
    ),
  });
}

function clamp(duration: string | undefined, min: number, max: number, preset: number): number {
  if (duration === undefined) return preset;
  return Math.min(max, Math.max(min, durationSeconds(duration)));
}
