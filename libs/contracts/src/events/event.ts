import { z } from 'zod';
import { AttestationDenied, AttestationGranted } from './attestation/attestation.js';
import {
  CoordinatorCounter,
  CoordinatorManifest,
  CoordinatorQuoteSigned,
  CoordinatorRecovery,
  CoordinatorRefused,
  CoordinatorSecrets,
} from './coordinator/coordinator.js';
import { EvidenceErased, EvidenceMissing, EvidenceRead } from './evidence/evidence.js';
import { KeyRefused, KeyReleased } from './key/key.js';
import { LogDuplicate, LogForged, LogGap, LogKeyChanged, LogReordered } from './log/log.js';
import { ManifestRefused, ManifestSet } from './manifest/manifest.js';
import { ReleaseDenied, ReleaseGranted } from './release/release.js';
import { SconeRead, SconeRefused, SconeSessionSet } from './scone/scone.js';
import { SecretDeleted, SecretRotated, SecretSet, SecretWithdrawn } from './secret/secret.js';
import { ServiceLeading, ServiceStarted, ServiceStopped, SignerChanged } from './service/service.js';
import { SessionReappraised, SessionRevoked } from './session/session.js';
import { TokenDrafted, TokenIssued, TokenRefused } from './token/token.js';
import { base64url } from '../messages/verify.js';

/** Every kind of event; strict, so that nothing unforeseen (a secret, a quote) can slip into the log. */
export const AuditEvent = z.discriminatedUnion('type', [
  AttestationGranted,
  AttestationDenied,
  ReleaseGranted,
  ReleaseDenied,
  KeyReleased,
  KeyRefused,
  TokenIssued,
  TokenRefused,
  TokenDrafted,
  ManifestSet,
  ManifestRefused,
  SecretSet,
  SecretDeleted,
  SecretRotated,
  SecretWithdrawn,
  ServiceStarted,
  ServiceStopped,
  SignerChanged,
  ServiceLeading,
  SessionReappraised,
  SessionRevoked,
  CoordinatorManifest,
  CoordinatorSecrets,
  CoordinatorRecovery,
  CoordinatorCounter,
  CoordinatorQuoteSigned,
  CoordinatorRefused,
  SconeSessionSet,
  SconeRead,
  SconeRefused,
  LogGap,
  LogDuplicate,
  LogReordered,
  LogForged,
  LogKeyChanged,
  EvidenceMissing,
  EvidenceErased,
  EvidenceRead,
]);
export type AuditEvent = z.infer<typeof AuditEvent>;
export type AuditEventType = AuditEvent['type'];
export const AUDIT_EVENT_TYPES = AuditEvent.options.map(
  (option) => option.shape.type.value,
) as readonly AuditEventType[];

/**
 * An event as it travels and as it is logged: the log's leaf is the canonical JSON (RFC 8785) of this object, so that whoever
 * reads the log can check the emitter's signature without asking anyone. `sig` is Ed25519 over the canonical JSON of `event`.
 * With canonical key order the bytes are `{"event":…,"kid":…,"sig":…}`.
 */
export const SignedEvent = z.strictObject({
  event: AuditEvent,
  kid: z.string().max(64),
  sig: base64url(64).length(86),
});
export type SignedEvent = z.infer<typeof SignedEvent>;

/** Largest logged entry, in bytes; C2SP tlog-tiles bounds an entry at 65,535. */
export const MAX_EVENT_BYTES = 60_000;
