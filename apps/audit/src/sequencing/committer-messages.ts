import type { KeyObject } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import type { WritableStore } from '../store/store-settings.js';
import type { Anomaly } from './anomalies.js';
import type { OwnStatement } from './own-events.js';
import type { Commit, IncomingEvent } from './placer.js';

/** What the committer thread is started with. */
export interface CommitterData {
  store: WritableStore;
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
  | { kind: 'refused'; message: string }
  /** The term is over, or nobody knows whether the group was stored: nothing may be said of it. The thread has ended. */
  | { kind: 'lost'; message: string; fenced: boolean };

export function unpackGroup({ bytes, events }: GroupMessage): IncomingEvent[] {
  let offset = 0;
  return events.map(({ length, ...event }) => {
    const entry = new Uint8Array(bytes, offset, length);
    offset += length;
    return { ...event, entry };
  });
}
