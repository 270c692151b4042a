import {
  EMPTY_ROOT,
  type NoteSigner,
  type NoteVerifier,
  type TileStorage,
  type TreeHead,
  ed25519Signer,
  ed25519Verifier,
  extendTiles,
  openCheckpoint,
  parseTilePath,
  signCheckpoint,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { join } from 'node:path';
import type { OwnLog } from '../own-log.js';
import { StoreError } from '../store/log-database.js';
import { FileTileStorage } from './file-tile-storage.js';

export const CHECKPOINT = 'checkpoint';
const MAX_STEP = 256 * 64;

/**
 * Publishes one log as tiles: entries that are committed, then tiles, then the checkpoint. The published head is what the
 * checkpoint file says, so a crash between any two writes is continued from there; since tiles and checkpoint are
 * functions of the committed entries alone, no second history can come of it.
 */
export class TreePublisher {
  readonly storage: FileTileStorage;
  readonly #signer: NoteSigner;
  readonly #verifier: NoteVerifier;
  readonly #entries: StatementSync;
  readonly #size: StatementSync;
  #head: TreeHead | undefined;

  constructor(
    readonly log: OwnLog,
    database: DatabaseSync,
    logKey: KeyObject,
    folder: string,
  ) {
    this.storage = new FileTileStorage(join(folder, log.name));
    this.#signer = ed25519Signer(log.origin, logKey);
    this.#verifier = ed25519Verifier(log.origin, createPublicKey(logKey));
    const row = 'SELECT id FROM logs WHERE origin = ?';
    const { id } = database.prepare(row).get(log.origin) as { id: number };
    this.#entries = database.prepare(
      `SELECT entry FROM entries WHERE log_id = ${id} AND idx >= ? AND idx < ? ORDER BY idx`,
    );
    this.#size = database.prepare(
      `SELECT coalesce(max(idx) + 1, 0) AS size FROM entries WHERE log_id = ${id}`,
    );
  }

  /** The head that the checkpoint file states. @throws StoreError, TransparencyError */
  async head(): Promise<TreeHead> {
    if (this.#head) return this.#head;
    const note = await this.storage.read(CHECKPOINT);
    this.#head = note ? openCheckpoint(note, this.log.origin, this.#verifier) : { size: 0, root: EMPTY_ROOT };
    const committed = this.#committed();
    if (committed < this.#head.size) {
      throw new StoreError(
        `${this.log.origin}: the store has ${committed} entries, but a checkpoint of ${this.#head.size} was published; ` +
          'going on would fork the log. Restore the newer store.',
      );
    }
    return this.#head;
  }

  /** Publishes what was committed since; the new head, or undefined if there is nothing new. */
  async publish(): Promise<TreeHead | undefined> {
    const published = await this.head();
    const size = Math.min(this.#committed(), published.size + MAX_STEP);
    if (size === published.size) return undefined;
    const recorder = new FullTileRecorder(this.storage);
    const head = await extendTiles(recorder, published, size, (start, end) =>
      (this.#entries.all(start, end) as unknown as { entry: Uint8Array }[]).map(({ entry }) => entry),
    );
    const checkpoint = { origin: this.log.origin, size: head.size, root: head.root, extensions: [] };
    await this.storage.write(CHECKPOINT, Buffer.from(signCheckpoint(checkpoint, [this.#signer])));
    this.#head = head;
    // Only now: until the checkpoint named the larger tree, readers still needed the partial tiles.
    for (const path of recorder.full) await this.storage.removePartials(path);
    return head;
  }

  #committed(): number {
    return (this.#size.get() as { size: number }).size;
  }
}

/** Notes which full tiles were written. */
class FullTileRecorder implements TileStorage {
  readonly full: string[] = [];

  constructor(private readonly storage: TileStorage) {}

  read(path: string): Promise<Buffer | undefined> {
    return this.storage.read(path);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.storage.write(path, bytes);
    if (parseTilePath(path).width === 256) this.full.push(path);
  }
}
