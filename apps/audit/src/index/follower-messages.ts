import type { KeyObject } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import type { WritableStore } from '../store/store-settings.js';
import type { TileSettings } from '../tree/tile-store.js';
import type { WitnessAddress } from '../tree/witness-client.js';

/** What the follower thread is started with. */
export interface FollowerData {
  store: WritableStore;
  tiles: TileSettings;
  logs: OwnLog[];
  /** The key that signs; during a change of keys, the one before it as well. */
  logKeys: KeyObject[];
  /** Successions of each log, for its witnesses. */
  successions: string[][];
  witnesses: WitnessAddress[];
  checkpointIntervalMs: number;
}

/**
 * To the thread: entries were committed and are to be indexed soon (`committed`) or at once because somebody waits for
 * them (`now`); or end after a last checkpoint.
 */
export type FollowerCommand = 'committed' | 'now' | 'close';

/** From the thread. */
export type FollowerMessage =
  | { kind: 'ready'; indexed: number; sizes: { log: number; size: number }[] }
  | { kind: 'indexed'; position: number }
  | { kind: 'checkpoint'; log: number; size: number }
  | { kind: 'cosigned'; log: number }
  | { kind: 'problem'; message: string }
  /** The log cannot be continued: going on would fork it, or what was published is not this log. The thread has ended. */
  | { kind: 'hopeless'; name: string; message: string }
  /** The term is over; the thread has ended. */
  | { kind: 'fenced'; message: string }
  | { kind: 'closed' };
