import type { KeyObject } from 'node:crypto';
import type { Manifest, SecretDefinition, SecretMaterial } from './manifest/model.js';

export type * from './manifest/model.js';

/** What the coordinator core and the activation of marbles know of each other. Source: reference marblerun.md §1, §2. */

/** Numbers are those of the status endpoint. */
export const COORDINATOR_STATES = {
  Uninitialized: 0,
  Recovery: 1,
  AcceptingManifest: 2,
  AcceptingMarbles: 3,
} as const;
export type CoordinatorState = keyof typeof COORDINATOR_STATES;

/** Curve of every key that is ours to choose; upstream's is P-384, which costs ten times the CPU. */
export type KeyCurve = 'P-256' | 'P-384';

/** How the deployment is operated; from the operator's file, never from the manifest. */
export interface DeploymentSettings {
  readonly name: string;
  /** Whose log and pipeline. */
  readonly tenant: string;
  /** Names by which clients and marbles reach it (SNI, authority), lower case. */
  readonly hosts: readonly string[];
  /** Whether it answers where no name is given (an IP address) or the name is unknown. */
  readonly isDefault: boolean;
  /** DNS names and IP addresses of its certificates. */
  readonly names: readonly string[];
  readonly keys: KeyCurve;
  /** Marbles without a quote are admitted: for development and tests. Refused unless the service itself is in simulation. */
  readonly simulation: boolean;
  /** Vaults that secrets with a `Source` may come from: whoever may update the manifest may read all of each. */
  readonly vaults: readonly string[];
}

/** A certificate with its private key. */
export interface CertifiedKey {
  readonly certificate: Buffer;
  readonly pem: string;
  readonly privateKey: KeyObject;
}

/** The coordinator's three certificates; reference §2.5. */
export interface CoordinatorAuthority {
  /** "MarbleRun Coordinator": the identity of the deployment and the certificate of its REST server. */
  readonly root: CertifiedKey;
  /** "MarbleRun Coordinator - Intermediate CA", signed by the root. */
  readonly intermediate: CertifiedKey;
  /** Same key and subject as the intermediate, self-signed: certificate of the gRPC server, `.MarbleRun.RootCA`, issuer of marbles. */
  readonly marbleRoot: CertifiedKey;
}

/** Secrets of one cycle: the manifest in force, or the one before it. */
export interface SecretCycle {
  /** 32 bytes, the input of every private derivation of this cycle. */
  readonly rootSecret: Buffer;
  readonly definitions: ReadonlyMap<string, SecretDefinition>;
  /** Shared secrets, and user-defined ones that have been set. A user-defined secret that is not here has not been set. */
  readonly stored: ReadonlyMap<string, SecretMaterial>;
}

/** One consistent state of a deployment. Immutable: an activation takes one at its beginning and uses nothing else. */
export interface DeploymentSnapshot {
  readonly manifest: Manifest;
  /** Hex SHA-256 of the manifest's bytes. */
  readonly fingerprint: string;
  /** Counts every change of manifest, packages or secrets, from 1. */
  readonly revision: number;
  readonly authority: CoordinatorAuthority;
  readonly current: SecretCycle;
  /** Absent before the first full update. */
  readonly previous: SecretCycle | undefined;
}

/** One activation that has been counted but not yet answered. */
export interface ActivationTicket {
  /** Makes the count durable; to be awaited before the answer. Does nothing for marbles without a limit. */
  commit(): Promise<void>;
  /** Gives the count back: the activation failed. Idempotent; nothing after `commit`. */
  release(): void;
}

export interface Deployment {
  readonly settings: DeploymentSettings;
  readonly state: CoordinatorState;
  /** In every state, as TLS needs it; a temporary one while a recovery is waited for. */
  readonly authority: CoordinatorAuthority;
  /** @throws CoordinatorError WRONG_STATE unless the state is AcceptingMarbles */
  snapshot(): DeploymentSnapshot;
  /** @throws CoordinatorError BUDGET_SPENT: `reached max activations count (2) for marble type "client"` */
  countActivation(marbleType: string): ActivationTicket;
}

export interface DeploymentRegistry {
  readonly all: readonly Deployment[];
  /** The deployment of a server name or authority (its port is ignored); undefined where there is none and no default. */
  byHost(name: string | undefined): Deployment | undefined;
}
/** Injection token of the DeploymentRegistry. */
export const DEPLOYMENTS = Symbol('MARBLERUN_DEPLOYMENTS');

/**
 * What the core needs of the activation side: made there (folder `secrets` and the templates), provided in marblerun.module.ts under
 * SECRET_WORKS.
 */
export interface SecretWorks {
  /**
   * A new value for a shared secret: random for symmetric keys, a new key pair and certificate for the others.
   * @param issuer the marble root, whose key signs
   */
  generate(name: string, definition: SecretDefinition, issuer: CertifiedKey): Promise<SecretMaterial>;
  /** Reads a secret with `source` from its vault. @throws SiegelError (outage), CoordinatorError SECRET_UNUSABLE (does not fit the type) */
  fromSource(name: string, definition: SecretDefinition): Promise<SecretMaterial>;
  /**
   * Runs every template of every marble with dummy values (32 bytes 0x41), `unset` being user-defined secrets without a value.
   * @throws CoordinatorError MANIFEST_INVALID with the message that the client gets
   */
  dryRun(manifest: Manifest): void;
}
export const SECRET_WORKS = Symbol('MARBLERUN_SECRET_WORKS');

/** Where the coordinator's own quote comes from; without one, clients get `null` (reference §0.3). */
export interface CoordinatorQuoteProvider {
  /** @param reportData 32 bytes, to stand at the beginning of report_data. @returns an Open Enclave report or undefined */
  quote(reportData: Buffer): Promise<Buffer | undefined>;
}
export const COORDINATOR_QUOTES = Symbol('MARBLERUN_COORDINATOR_QUOTES');
