import type { SessionClaims } from '../../../session/session-token.js';
import type { TeeKey } from '../attest/tee-key.js';
import type { ProtocolVersion } from '../protocol/versions.js';

/** A client that has attested, whether it shows its cookie or its token. */
export interface KbsSession {
  readonly tenant: string;
  /** Id of the session in events; an administrator ends it by this id. */
  readonly session: string;
  readonly workload: string;
  readonly version: ProtocolVersion;
  readonly key: TeeKey;
  /** What later reads are decided by; undefined in the simulation profile, where there was no evidence. */
  readonly attested: SessionClaims | undefined;
  readonly expiresAt: Date;
}
