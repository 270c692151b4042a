import type { AuditDeployment, TestEmitter } from '../audit-deployment.js';

/** One event as the API gives it. */
export interface Item {
  position: number;
  index: number;
  loggedAt: string;
  event: { id: string; type: string; outcome: string; workload?: string; session?: string };
}

/** A running audit service with sixty denials in its log, of which every second is of the workload `ledger`. */
export interface FilledLog {
  readonly deployment: AuditDeployment;
  /** Once the suite has begun. */
  readonly emitter: () => TestEmitter;
  readonly append: (entry: Uint8Array) => Promise<Uint8Array>;
  /** Of the events, in their order. */
  readonly ids: readonly string[];
  /** An enclave that not all of them are about. */
  readonly other: string;
}
