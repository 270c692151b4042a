import type { AuditEnvironment } from './audit-environment.js';
import { Follower } from './index/follower.js';
import type { LogProgress } from './index/log-progress.js';
import type { AuditKeys } from './keys.js';
import type { SequencerDoor } from './sequencing/sequencer-door.js';
import { Sequencer } from './sequencing/sequencer.js';
import type { LogSuccessions } from './succession/log-successions.js';
import type { WritableStore } from './store/store-settings.js';
import type { TileSettings } from './tree/tile-store.js';
import type { WitnessAddress } from './tree/witness-client.js';

export interface AuditLogHooks {
  /** After a commit that added entries. */
  onCommit: (appended: number, milliseconds: number) => void;
  onProblem: (message: string) => void;
  /** A thread died: the process must end, so that a supervisor starts a clean one. */
  onFailure: (error: Error) => void;
}

/** What leading needs that does not change from term to term. */
export interface LeadingSettings {
  environment: AuditEnvironment;
  keys: AuditKeys;
  tiles: TileSettings;
  successions: LogSuccessions;
  witnesses: WitnessAddress[];
  hooks: AuditLogHooks;
}

/** The threads of a process that sequences the log: of the embedded store always, of a replica for one term. */
export class Leading {
  private constructor(
    readonly sequencer: Sequencer,
    private readonly follower: Follower,
    private readonly door: SequencerDoor,
    /** Resolves when another process leads or the store is out of reach; with the embedded store, never. */
    readonly over: Promise<void>,
  ) {}

  /**
   * Starts the threads and opens the door to the sequencer.
   * @throws StoreError if going on would fork the log; FencedError, OutcomeUnknown if another process leads already
   */
  static async start(
    { environment, keys, tiles, successions, witnesses, hooks }: LeadingSettings,
    store: WritableStore,
    door: SequencerDoor,
    progress: LogProgress,
  ): Promise<Leading> {
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    const lost = (message: string): void => {
      hooks.onProblem(`this process leads no more: ${message}`);
      end();
    };
    const sequencer = new Sequencer({
      committer: {
        store,
        logs: keys.logs,
        logKey: keys.logKey,
        own: { ...keys.emitter, instance: environment.SIEGEL_INSTANCE },
        gapGraceMs: environment.SIEGEL_AUDIT_GAP_GRACE_MS,
      },
      maxQueued: environment.SIEGEL_AUDIT_QUEUE_EVENTS,
      onCommit: (_head, appended, milliseconds) => {
        follower.notify();
        hooks.onCommit(appended, milliseconds);
      },
      onFailure: hooks.onFailure,
      onLost: lost,
    });
    const follower = new Follower(
      {
        store,
        tiles,
        logs: keys.logs,
        logKeys: [keys.logKey, ...(keys.previous ? [keys.previous.privateKey] : [])],
        successions: keys.logs.map(({ origin }) => [...successions.of(origin)]),
        witnesses,
        checkpointIntervalMs: environment.SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS,
      },
      progress,
      { onProblem: hooks.onProblem, onFailure: hooks.onFailure, onFenced: lost },
    );
    try {
      // The embedded store's file is made by the one thread before the other reads it.
      if (store.kind === 'sqlite') await sequencer.start();
      await Promise.all([store.kind === 'sqlite' ? undefined : sequencer.start(), follower.start()]);
    } catch (error) {
      await sequencer.abandon();
      await follower.abandon();
      throw error;
    }
    door.lead(sequencer);
    return new Leading(sequencer, follower, door, over);
  }

  /** Commits what is queued and publishes the last checkpoint. */
  async close(): Promise<void> {
    await this.sequencer.close();
    await this.follower.close();
    this.door.lead(undefined);
  }

  /** Ends at once, without a word to those who wait: another process leads. */
  async abandon(): Promise<void> {
    this.door.lead(undefined);
    await this.sequencer.abandon();
    await this.follower.abandon();
  }
}
