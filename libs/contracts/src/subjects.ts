/**
 * NATS subjects, queue groups and JetStream names. Permissions of every user are derived from these
 * (DESIGN §3): a service may publish and subscribe only what stands here for it.
 */
export const SUBJECTS = {
  /** Request/reply: evidence in, signed verdict out. Queue group {@link QUEUES.verifier}. */
  verify: 'siegel.v1.verify',
  /** Request/reply: signed event in, promise out. Queue group {@link QUEUES.audit}. */
  auditAppend: 'siegel.v1.audit.append',
  /** Request/reply: evidence that was judged, to be kept if an event names it; queue group {@link QUEUES.audit}. Off by default. */
  auditEvidence: 'siegel.v1.audit.evidence',
  /** Request/reply: the collateral that it was judged with, where audit asked for it. */
  auditCollateral: 'siegel.v1.audit.collateral',
  /** Logged events for subscribers: `siegel.events.<tenant>.<type>`; published by audit alone. */
  events: 'siegel.events',
  /** Collateral became newer: live evidence is to be appraised again. Published by verifiers. */
  collateralChanged: 'siegel.v1.collateral.changed',
  /** An object of a vault changed, or may have: a signed hint of one key-release to all. */
  vaultChanged: 'siegel.v1.vault.changed',
} as const;

export const QUEUES = { verifier: 'quote-verifier', audit: 'audit' } as const;

export const STREAMS = { events: 'SIEGEL_EVENTS' } as const;

export const BUCKETS = {
  manifests: 'siegel_manifests',
  sessions: 'siegel_sessions',
  /** Sessions of clients that come with the certificate which they were issued. */
  enrolments: 'siegel_enrolments',
  /** Sealed sessions of SCONE's language. */
  sconeSessions: 'siegel_scone_sessions',
  /** By which connection a token of a foreign CAS was shown first. */
  sconeTokens: 'siegel_scone_tokens',
  /** Proofs that were given for tokens of the Vault API. */
  loginProofs: 'siegel_login_proofs',
  collateral: 'siegel_collateral',
} as const;

/** Reply headers of a failed request (the names that NATS micro services use). */
export const ERROR_HEADERS = { code: 'Nats-Service-Error-Code', detail: 'Nats-Service-Error' } as const;

/** Subject of a logged event. Tenant and type are validated names: letters, digits, `-`, `_`; the type's dots are levels. */
export const eventSubject = (tenant: string, type: string): string => `${SUBJECTS.events}.${tenant}.${type}`;

/** A tenant is a DNS label, so that it can be a subject token, a KV key and a path segment without escaping. */
export const TENANT_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const DEFAULT_TENANT = 'default';
