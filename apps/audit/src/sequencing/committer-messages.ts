import type { KeyObject } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import type { Anomaly } from './anomalies.js';
import type { Commit } from './placer.js';
import type { OwnStatement } from './own-events.js';

/** What the committer thread is started with. */
export interface CommitterData {
  databasePath: string;
  logs: OwnLog[];
  logKey: KeyObject;
  own: { name: string; kid: string; instance: string; privateKey: KeyObject };
  gapGraceMs: number;
}

/** One group for the committer thread. The entries' bytes lie one after the other in `bytes`, which is transferred. */
export interface GroupMessage {
  bytes: ArrayBuffer;
  events: { tenant: string; emitter: string; epoch: string; seq: number; length: number }[];
  statements: OwnStatement[];
  anomalies: Anomaly[];
  /** The last commit before the thread ends: records everything that is pending. */
  last: boolean;
}

/** The thread's answers, in the order of the groups; `ready` comes first. */
export type CommitterMessage =
  | { kind: 'ready'; head: number }
  | { kind: 'commit'; commit: Commit }
  /** The store refused for a reason that passes (disk full); nothing of the group is stored. */
  | { kind: 'refused'; message: string };
