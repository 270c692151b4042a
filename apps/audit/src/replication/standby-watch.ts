import { peekCheckpoint } from '#transparency';
import { indexedPosition } from '../index/postgres-indexer.js';
import type { LogProgress } from '../index/log-progress.js';
import type { OwnLog } from '../own-log.js';
import type { SequencerDoor } from '../sequencing/sequencer-door.js';
import type { PostgresDatabase } from '../store/postgres/database.js';
import { CHECKPOINT, type TileSettings, type TileStore, openTileStore } from '../tree/tile-store.js';

const INTERVAL_MS = 200;

/** Keeps a standby's readers up to date: how far the leader has committed, indexed and published. */
export class StandbyWatch {
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #problem = '';
  readonly #seen = new Map<number, { size: number; note: string }>();
  readonly #stores: ReadonlyMap<number, TileStore>;

  constructor(
    private readonly database: PostgresDatabase,
    private readonly logs: readonly OwnLog[],
    tiles: TileSettings,
    private readonly door: SequencerDoor,
    private readonly progress: LogProgress,
    private readonly onProblem: (message: string) => void,
  ) {
    this.#stores = new Map(logs.map((log) => [log.id, openTileStore(tiles, log)]));
  }

  start(): void {
    if (this.#closed || this.#timer) return;
    this.#timer = setTimeout(() => void this.#look(), INTERVAL_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      // A leader's own threads tell more, and sooner.
      if (!this.door.leads) await this.#read();
      this.#problem = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#problem) this.onProblem(`watching the leader: ${message}`);
      this.#problem = message;
    }
    this.#timer = undefined;
    this.start();
  }

  async #read(): Promise<void> {
    const { query } = this.database;
    const { head } = await query.selectFrom('sequencer').select('head').executeTakeFirstOrThrow();
    if (this.door.leads) return;
    this.door.watched(head);
    if (this.progress.indexed < head)
      this.progress.take({ kind: 'indexed', position: await indexedPosition(this.database) });
    const rows = await query
      .selectFrom('checkpoints')
      .innerJoin('logs', 'logs.id', 'checkpoints.log_id')
      .select(['origin', 'checkpoints.size'])
      .execute();
    for (const log of this.logs) {
      const signed = rows.find(({ origin }) => origin === log.origin);
      if (signed) await this.#checkpoint(log, signed.size);
    }
  }

  /** What is public is read where it is published: the store knows of a checkpoint a moment before. */
  async #checkpoint(log: OwnLog, size: number): Promise<void> {
    const seen = this.#seen.get(log.id);
    if (seen && seen.size >= size && this.progress.listenerCount('cosigned') === 0) return;
    const note = (await this.#stores.get(log.id)!.read(CHECKPOINT))?.toString('utf8');
    if (note === undefined || note === seen?.note) return;
    const published = peekCheckpoint(note).size;
    this.#seen.set(log.id, { size: published, note });
    this.progress.take({ kind: 'checkpoint', log: log.id, size: published });
    this.progress.take({ kind: 'cosigned', log: log.id });
  }
}
