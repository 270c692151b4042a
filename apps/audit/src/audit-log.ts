import { ConfigurationError, type Trust } from '#platform';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEnvironment } from './audit-environment.js';
import { Follower } from './index/follower.js';
import { EventIntake } from './intake/event-intake.js';
import { type AuditKeys, readAuditKeys } from './keys.js';
import { Reader } from './query/reader.js';
import { Sequencer } from './sequencing/sequencer.js';
import { StateLock } from './store/state-lock.js';
import type { TileSettings } from './tree/tile-store.js';
import { type WitnessAddress, parseWitnesses } from './tree/witness-client.js';

/** Package version, as the service's own events state it. */
const VERSION = '0.1.0';

export interface AuditLogHooks {
  /** After a commit that added entries. */
  onCommit: (appended: number, milliseconds: number) => void;
  onProblem: (message: string) => void;
  /** A thread died: the process must end, so that a supervisor starts a clean one. */
  onFailure: (error: Error) => void;
}

/**
 * The log of one state folder: intake, the one sequencer, what follows it (index, tiles, checkpoints) and the reader.
 * Opening fails if another process has the folder, or if going on would fork the log.
 */
export class AuditLog {
  private constructor(
    readonly keys: AuditKeys,
    readonly intake: EventIntake,
    readonly sequencer: Sequencer,
    readonly follower: Follower,
    readonly reader: Reader,
    /** Where the logs are published. */
    readonly tiles: TileSettings,
    private readonly lock: StateLock,
    private readonly simulation: boolean,
  ) {}

  /** @throws ConfigurationError, StoreError, TransparencyError */
  static async open(environment: AuditEnvironment, trust: Trust, hooks: AuditLogHooks): Promise<AuditLog> {
    const keys = readAuditKeys(environment, trust);
    const folder = environment.SIEGEL_STATE_DIR;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = StateLock.acquire(join(folder, 'lock.db'));
    const paths = {
      logPath: join(folder, 'log.db'),
      indexPath: join(folder, 'index.db'),
    };
    const tiles: TileSettings = { kind: 'folder', folder: join(folder, 'tree') };
    const own = { ...keys.emitter, instance: environment.SIEGEL_INSTANCE };
    const sequencer: Sequencer = new Sequencer({
      committer: {
        databasePath: paths.logPath,
        logs: keys.logs,
        logKey: keys.logKey,
        own,
        gapGraceMs: environment.SIEGEL_AUDIT_GAP_GRACE_MS,
      },
      maxQueued: environment.SIEGEL_AUDIT_QUEUE_EVENTS,
      onCommit: (_head, appended, milliseconds) => {
        follower.notify();
        hooks.onCommit(appended, milliseconds);
      },
      onFailure: hooks.onFailure,
    });
    const follower = new Follower(
      {
        ...paths,
        tiles,
        logs: keys.logs,
        logKey: keys.logKey,
        witnesses: readWitnesses(environment.SIEGEL_AUDIT_WITNESSES),
        checkpointIntervalMs: environment.SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS,
      },
      hooks.onProblem,
      hooks.onFailure,
    );
    await sequencer.start();
    await follower.start();
    const reader = new Reader(paths, hooks.onFailure);
    const tenants = new Set(keys.logs.map(({ name }) => name));
    const intake = new EventIntake(trust.emitters, tenants, (anomaly) => sequencer.note(anomaly));
    const log = new AuditLog(
      keys,
      intake,
      sequencer,
      follower,
      reader,
      tiles,
      lock,
      environment.SIEGEL_SIMULATION,
    );
    log.#recordStart();
    return log;
  }

  /** Commits what is queued, publishes the last checkpoint and frees the folder. */
  async close(): Promise<void> {
    this.sequencer.record({
      type: 'service.stopped',
      tenant: this.keys.logs[0]!.name,
      outcome: 'ok',
      data: { service: 'audit' },
    });
    await this.sequencer.close();
    await this.follower.close();
    await this.reader.close();
    this.lock.release();
  }

  #recordStart(): void {
    this.sequencer.record({
      type: 'service.started',
      tenant: this.keys.logs[0]!.name,
      outcome: 'ok',
      data: {
        service: 'audit',
        version: VERSION,
        keys: [this.keys.emitter.kid, ...new Set(this.keys.logs.map(({ kid }) => kid))].slice(0, 16),
        simulation: this.simulation,
      },
    });
  }
}

/** @throws ConfigurationError */
function readWitnesses(text: string): WitnessAddress[] {
  try {
    return parseWitnesses(text);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigurationError([{ variable: 'SIEGEL_AUDIT_WITNESSES', message }]);
  }
}
