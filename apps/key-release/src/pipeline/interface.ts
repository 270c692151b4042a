import type { AttestRequest, LogPromise, ReleasePayload } from '#contracts';
import type { BindingConvention } from '#evidence';
import type { PublicKey } from '#pki';
import type { SessionClaims } from '../session/session-token.js';

/** What a wrapper protocol hands to the pipeline: evidence and the key that it is said to bind. */
export interface AttestationInput {
  readonly tenant: string;
  /** Name of the wrapper protocol, for events. */
  readonly protocol: string;
  readonly evidence: Uint8Array;
  readonly format: AttestRequest['format'];
  readonly binding: {
    readonly convention: BindingConvention;
    /** The key that the evidence is said to bind. */
    readonly key: PublicKey;
    readonly challenge?: string;
  };
  readonly workloadHint?: string;
}

/** What was granted; given to the wrapper only after the log's promise. */
export interface Granted {
  readonly session: string;
  readonly workload: string;
  readonly simulated: boolean;
  readonly token: string;
  readonly expiresAt: Date;
  /** In the clear, in memory: the wrapper seals it to the bound key or sends it over the attested channel. */
  readonly payload: ReleasePayload;
  readonly promise: LogPromise;
}

/** A session that asks for its release again, its token and proof of possession already checked. */
export interface ReleaseInput {
  readonly tenant: string;
  readonly protocol: string;
  readonly session: SessionClaims;
  readonly key: PublicKey;
}
