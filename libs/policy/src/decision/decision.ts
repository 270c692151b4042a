import type { BindingConvention } from '#evidence';
import type { GramineDelivery, GramineEncoding } from '../manifest/gramine-schema.js';
import type { OcclumForm, OcclumProtocol } from '../manifest/occlum-schema.js';
import type { AttestedClaims } from './claims.js';
import type { FortanixGrant } from './fortanix-grant.js';
import type { DenialCode } from './denial-codes.js';

export type ConditionValue = string | number | boolean | null | readonly string[] | readonly number[];

/** One condition of a decision. `actual` is null where the evidence does not say. A list in `expected` holds alternatives. */
export interface Condition {
  readonly name: string;
  readonly expected: ConditionValue;
  readonly actual: ConditionValue;
  readonly ok: boolean;
}

export interface SecretGrant {
  readonly vault: string;
  readonly objectName: string;
  readonly objectType: 'secret' | 'key' | 'cert';
  readonly objectVersion?: string;
  /** The alias, or the object's name where the manifest gives none. */
  readonly objectAlias: string;
  readonly as: 'env' | 'file' | 'argv';
  readonly path?: string;
  /** Octal, four digits, e.g. `0400`; present for files. */
  readonly mode?: string;
  readonly allowExpired?: boolean;
  readonly maxStaleSeconds?: number;
}

export interface CertificateGrant {
  readonly dns: readonly string[];
  readonly ips?: readonly string[];
  /** Absolute SPIFFE ID (SPIFFE-ID §2), if the deployment has a trust domain and the manifest does not decline it. */
  readonly spiffeId?: string;
  readonly ttlSeconds: number;
}

/** What a granted workload receives. Frozen and the same object for every decision on the workload. */
export interface Grants {
  readonly secrets: readonly SecretGrant[];
  readonly certificate?: CertificateGrant;
  /** The command line with `$(ALIAS)` where secrets go; see `renderArgv`. */
  readonly argv?: readonly string[];
  /** Plain, non-secret environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly tokenTtlSeconds: number;
  /** From the attestation on; a later release renews the token, never the session. */
  readonly sessionLifetimeSeconds: number;
  /** `revoke`: sessions end when their platform falls below policy. `event`: it is only reported. */
  readonly onDegraded: 'event' | 'revoke';
  /** Only where the manifest says what Gramine's Secret Provisioning may carry. */
  readonly gramine?: GramineGrant;
  /** Only where the manifest says what Occlum's init clients may ask for. */
  readonly occlum?: OcclumGrant;
  /** Only where the manifest has a section for Fortanix' em-app. */
  readonly fortanix?: FortanixGrant;
  /** Only where the manifest names resources for Trustee's KBS protocol; by path. */
  readonly trustee?: ReadonlyMap<string, ResourceGrant>;
}

/** What Occlum's init clients may ask for, by which protocols. */
export interface OcclumGrant {
  readonly protocols: readonly OcclumProtocol[];
  readonly answers: readonly OcclumAnswerGrant[];
}

/** One name that a client may ask for, and the secret that is its answer. */
export interface OcclumAnswerGrant {
  readonly name: string;
  /** Any service where absent. */
  readonly service?: string;
  readonly secret: SecretGrant;
  readonly form: OcclumForm;
  readonly encoding: GramineEncoding;
  /** Bytes that the value must have. */
  readonly length?: number;
}

/** A resource of Trustee's KBS protocol: a secret of the workload, and how its text stands for bytes. */
export interface ResourceGrant {
  readonly secret: SecretGrant;
  readonly encoding: GramineEncoding;
}

/** What Gramine's Secret Provisioning carries: one secret, or all of them as one JSON text. */
export interface GramineGrant {
  readonly delivery: GramineDelivery;
  /** Alias of the one secret; absent for a bundle. */
  readonly secret?: string;
  readonly encoding: GramineEncoding;
}

export interface DecisionRequest {
  readonly claims: AttestedClaims;
  /** The workload that the caller names, if it names one. */
  readonly workloadHint?: string | undefined;
  /** How the request binds its key; whether that holds has been checked by the caller. */
  readonly binding: { readonly convention: BindingConvention; readonly challenge: boolean };
  readonly now: Date;
}

export type Decision =
  | {
      readonly outcome: 'granted';
      readonly workload: string;
      readonly conditions: readonly Condition[];
      readonly grants: Grants;
    }
  | {
      readonly outcome: 'denied';
      readonly code: DenialCode;
      /** For the caller: says no more than the code. */
      readonly message: string;
      readonly workload?: string;
      /** For the operator. */
      readonly conditions: readonly Condition[];
    };
