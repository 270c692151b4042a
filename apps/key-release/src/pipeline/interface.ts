import type { AttestRequest, LogPromise, ReleasePayload } from '#contracts';
import type { BindingConvention, BindingInput } from '#evidence';
import type { PublicKey } from '#pki';
import type { Grants } from '#policy';
import type { SessionClaims } from '../session/session-token.js';

/** How the report data is said to bind a key, and what the convention needs besides the key to be checked. */
export interface KeyBinding extends Pick<
  BindingInput,
  'claims' | 'runtimeData' | 'certificate' | 'configId'
> {
  readonly convention: BindingConvention;
  /** The key that the evidence is said to bind. */
  readonly key: PublicKey;
  readonly challenge?: string;
}

/** What a wrapper protocol hands to the pipeline: evidence and the key that it is said to bind. */
export interface AttestationInput {
  readonly tenant: string;
  /** Name of the wrapper protocol, for events. */
  readonly protocol: string;
  readonly evidence: Uint8Array;
  readonly format: AttestRequest['format'];
  readonly binding: KeyBinding;
  /** What those claims say besides the key, as hex by name; believed once the binding holds. */
  readonly customClaims?: Readonly<Record<string, string>>;
  readonly workloadHint?: string;
  /** For protocols that cannot carry whatever a manifest grants. */
  readonly carrier?: Carrier;
}

/** What a protocol that cannot carry everything has to say before the decision is logged and anything leaves. */
export interface Carrier {
  /** The part of the grant that can be carried; the rest is neither read nor logged. @throws SiegelError, a denial */
  select(grants: Grants): Grants;
  /** Looks at the secrets themselves. @throws SiegelError where they do not fit, a denial */
  accept(payload: ReleasePayload, grants: Grants): void;
}

/** What was granted; given to the wrapper only after the log's promise. */
export interface Granted {
  readonly session: string;
  readonly workload: string;
  readonly simulated: boolean;
  readonly token: string;
  readonly expiresAt: Date;
  /** No token outlives it; then the enclave attests again. */
  readonly sessionEndsAt: Date;
  /** In the clear, in memory: the wrapper seals it to the bound key or sends it over the attested channel. */
  readonly payload: ReleasePayload;
  readonly grants: Grants;
  /** Versions of the granted secrets, in the order of `grants.secrets`. */
  readonly versions: readonly string[];
  readonly promise: LogPromise;
}

/** A session that asks for its release again, its token and proof of possession already checked. */
export interface ReleaseInput {
  readonly tenant: string;
  readonly protocol: string;
  readonly session: SessionClaims;
  readonly key: PublicKey;
  /** For protocols that read one thing at a time. */
  readonly carrier?: Carrier;
}
