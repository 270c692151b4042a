import { EventEmitter } from 'node:events';
import type { LogProgress } from '../index/log-progress.js';
import { Leading, type LeadingSettings } from '../leading.js';
import type { SequencerDoor } from '../sequencing/sequencer-door.js';
import { StoreError } from '../store/log-database.js';
import type { PostgresSettings } from '../store/postgres/connection.js';
import { PostgresDatabase } from '../store/postgres/database.js';
import { type Holder, Lease } from '../store/postgres/lease.js';
import { prepareSchema } from '../store/postgres/schema.js';
import { Candidacy, type LedTerm } from './candidacy.js';
import { StandbyWatch } from './standby-watch.js';

/** The lease, the schema, the mark of distribution; searches have connections of their own. */
const CONNECTIONS = 3;
const STATEMENT_TIMEOUT_MS = 10_000;

/** One of several audit processes on one PostgreSQL store. Emits `leading` with the term, and `following` after it. */
export class Replica extends EventEmitter<{ leading: [term: number]; following: [] }> {
  private constructor(
    readonly database: PostgresDatabase,
    private readonly candidacy: Candidacy,
    private readonly watch: StandbyWatch,
  ) {
    super();
  }

  /** @throws StoreError, what `pg` throws where the store is out of reach */
  static async open(
    postgres: PostgresSettings,
    settings: LeadingSettings,
    door: SequencerDoor,
    progress: LogProgress,
  ): Promise<Replica> {
    const { environment, hooks, keys, tiles } = settings;
    const database = new PostgresDatabase(postgres, {
      name: `siegel-audit ${environment.SIEGEL_INSTANCE}`.slice(0, 63),
      connections: CONNECTIONS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    try {
      await prepareSchema(database, keys.logs);
    } catch (error) {
      await database.close();
      throw error;
    }
    const watch = new StandbyWatch(database, keys.logs, tiles, door, progress, hooks.onProblem);
    const candidacy: Candidacy = new Candidacy({
      lease: new Lease(database),
      holder: environment.SIEGEL_INSTANCE,
      leaseMs: environment.SIEGEL_AUDIT_LEASE_MS,
      lead: (term, takenFrom) => replica.#lead(term, takenFrom, postgres, settings, door, progress),
      hopeless: (error) => error instanceof StoreError,
      onHopeless: hooks.onFailure,
      onProblem: hooks.onProblem,
    });
    const replica: Replica = new Replica(database, candidacy, watch);
    return replica;
  }

  start(): void {
    this.watch.start();
    this.candidacy.start();
  }

  /** The term under way, where this process leads. */
  get term(): number | undefined {
    return this.candidacy.term;
  }

  async close(): Promise<void> {
    this.watch.close();
    await this.candidacy.close();
    await this.database.close();
  }

  async #lead(
    term: number,
    takenFrom: Holder,
    postgres: PostgresSettings,
    settings: LeadingSettings,
    door: SequencerDoor,
    progress: LogProgress,
  ): Promise<LedTerm> {
    const leading = await Leading.start(settings, { kind: 'postgres', postgres, term }, door, progress);
    const [first] = settings.keys.logs;
    const silent = takenFrom.term > 0 && takenFrom.holder !== '';
    leading.sequencer.record({
      type: 'service.leading',
      tenant: first!.name,
      outcome: silent ? 'alert' : 'ok',
      data: {
        service: 'audit',
        term,
        cause: takenFrom.term === 0 ? 'first' : silent ? 'silent' : 'released',
        ...(silent ? { former: takenFrom.holder } : {}),
      },
    });
    this.emit('leading', term);
    return {
      over: leading.over,
      end: async (inOrder) => {
        if (inOrder) {
          leading.sequencer.record({
            type: 'service.stopped',
            tenant: first!.name,
            outcome: 'ok',
            data: { service: 'audit' },
          });
          await leading.close();
        } else await leading.abandon();
        this.emit('following');
      },
    };
  }
}
