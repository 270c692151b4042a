import { ConfigurationError, type Trust } from '#platform';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEnvironment } from './audit-environment.js';
import { LogProgress } from './index/log-progress.js';
import { EventIntake } from './intake/event-intake.js';
import { type AuditKeys, readAuditKeys } from './keys.js';
import { type AuditLogHooks, Leading, type LeadingSettings } from './leading.js';
import { Reader } from './query/reader.js';
import type { Replica } from './replication/replica.js';
import { SequencerDoor } from './sequencing/sequencer-door.js';
import { LogSuccessions } from './succession/log-successions.js';
import { StateLock } from './store/state-lock.js';
import type { StoreSettings } from './store/store-settings.js';
import { storeOf, tilesOf } from './store/configured-store.js';
import type { TileSettings } from './tree/tile-store.js';
import { type WitnessAddress, parseWitnesses } from './tree/witness-client.js';

/** Package version, as the service's own events state it. */
const VERSION = '0.1.0';

/**
 * The log as this process has it: intake, the sequencer and what follows it (index, tiles, checkpoints) while it leads,
 * and the reader. With the embedded store the process leads for as long as it lives, and opening fails if another process
 * has the folder or if going on would fork the log; with PostgreSQL it stands by until it leads.
 */
export class AuditLog {
  private constructor(
    readonly keys: AuditKeys,
    readonly intake: EventIntake,
    readonly sequencer: SequencerDoor,
    readonly follower: LogProgress,
    readonly reader: Reader,
    /** Where the logs are published. */
    readonly tiles: TileSettings,
    readonly successions: LogSuccessions,
    /** Where there may be other processes on the same log. */
    readonly replica: Replica | undefined,
    private readonly leading: Leading | undefined,
    private readonly lock: StateLock,
  ) {}

  /** @throws ConfigurationError, StoreError, TransparencyError */
  static async open(environment: AuditEnvironment, trust: Trust, hooks: AuditLogHooks): Promise<AuditLog> {
    const keys = readAuditKeys(environment, trust);
    const folder = environment.SIEGEL_STATE_DIR;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const tiles = tilesOf(environment);
    const store = storeOf(environment);
    const witnesses = readWitnesses(environment.SIEGEL_AUDIT_WITNESSES);
    const lock = StateLock.acquire(join(folder, 'lock.db'));
    const door = new SequencerDoor();
    const progress = new LogProgress();
    door.record(startOf(environment, keys));
    const origins = keys.logs.map(({ origin }) => origin);
    const successions = LogSuccessions.open(
      folder,
      origins,
      keys.logKey,
      keys.previous?.privateKey,
      Date.now(),
    );
    const settings: LeadingSettings = { environment, keys, tiles, successions, witnesses, hooks };
    const { leading, replica } = await openStore(settings, store, door, progress);
    const reader = new Reader({ store }, hooks.onFailure);
    const tenants = new Set(keys.logs.map(({ name }) => name));
    const intake = new EventIntake(trust.emitters, tenants, (anomaly) => door.note(anomaly));
    return new AuditLog(keys, intake, door, progress, reader, tiles, successions, replica, leading, lock);
  }

  /** Commits what is queued, publishes the last checkpoint and frees the folder. */
  async close(): Promise<void> {
    if (this.leading) {
      this.sequencer.record({
        type: 'service.stopped',
        tenant: this.keys.logs[0]!.name,
        outcome: 'ok',
        data: { service: 'audit' },
      });
      await this.leading.close();
    }
    await this.replica?.close();
    await this.reader.close();
    this.lock.release();
  }
}

async function openStore(
  settings: LeadingSettings,
  store: StoreSettings,
  door: SequencerDoor,
  progress: LogProgress,
): Promise<{ leading?: Leading; replica?: Replica }> {
  if (store.kind === 'sqlite') return { leading: await Leading.start(settings, store, door, progress) };
  // Loaded only where it is needed.
  const { Replica } = await import('./replication/replica.js');
  return { replica: await Replica.open(store.postgres, settings, door, progress) };
}

function startOf({ SIEGEL_SIMULATION }: AuditEnvironment, { emitter, logs }: AuditKeys) {
  return {
    type: 'service.started' as const,
    tenant: logs[0]!.name,
    outcome: 'ok' as const,
    data: {
      service: 'audit',
      version: VERSION,
      keys: [emitter.kid, ...new Set(logs.map(({ kid }) => kid))].slice(0, 16),
      simulation: SIEGEL_SIMULATION,
    },
  };
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
