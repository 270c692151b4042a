import {
  EMPTY_ROOT,
  type NoteSigner,
  type NoteVerifier,
  type TileStorage,
  TileHashSource,
  type TreeHead,
  ed25519Signer,
  ed25519Verifier,
  extendTiles,
  openCheckpoint,
  parseTilePath,
  signCheckpoint,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import { StoreError } from '../store/log-database.js';
import { CHECKPOINT, type TileStore } from './tile-store.js';
import type { TreeSource } from './tree-source.js';
import type { WitnessClient } from './witness-client.js';

const MAX_STEP = 256 * 64;

/**
 * Publishes one log as tiles: entries that are committed, then tiles, then the checkpoint. The published head is what the
 * checkpoint file says, so a crash between any two writes is continued from there; since tiles and checkpoint are
 * functions of the committed entries alone, no second history can come of it.
 */
export class TreePublisher {
  readonly #signer: NoteSigner;
  readonly #verifier: NoteVerifier;
  #head: TreeHead | undefined;
  /** Those that have not cosigned the head. */
  #wanted: readonly WitnessClient[] = [];
  #cosignatures: string[] = [];

  constructor(
    readonly log: OwnLog,
    private readonly source: TreeSource,
    logKey: KeyObject,
    readonly storage: TileStore,
    private readonly witnesses: readonly WitnessClient[] = [],
  ) {
    this.#wanted = witnesses;
    this.#signer = ed25519Signer(log.origin, logKey);
    this.#verifier = ed25519Verifier(log.origin, createPublicKey(logKey));
  }

  /** The head that the checkpoint file states. @throws StoreError, TransparencyError */
  async head(): Promise<TreeHead> {
    if (this.#head) return this.#head;
    const note = await this.storage.read(CHECKPOINT);
    this.#head = note ? openCheckpoint(note, this.log.origin, this.#verifier) : { size: 0, root: EMPTY_ROOT };
    const committed = await this.source.committed();
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
    const size = Math.min(await this.source.committed(), published.size + MAX_STEP);
    if (size === published.size) return undefined;
    const recorder = new FullTileRecorder(this.storage);
    const head = await extendTiles(recorder, published, size, this.source.entries);
    await this.storage.write(CHECKPOINT, Buffer.from(this.#sign(head)));
    this.#head = head;
    this.#wanted = this.witnesses;
    this.#cosignatures = [];
    // Only now: until the checkpoint named the larger tree, readers still needed the partial tiles.
    for (const path of recorder.full) await this.storage.removePartials(path);
    return head;
  }

  /**
   * Brings the published checkpoint to the witnesses that have not cosigned it, and publishes it again with the lines
   * that they gave. The checkpoint was public before: nothing but cosignatures waits for a witness. True if there are new ones.
   */
  async cosign(): Promise<boolean> {
    const head = await this.head();
    if (head.size === 0 || this.#wanted.length === 0) return false;
    const note = this.#sign(head);
    const checkpoint = { origin: this.log.origin, ...head, extensions: [] };
    const tree = new TileHashSource(this.storage, head.size);
    const asked = this.#wanted;
    const lines = await Promise.all(asked.map((witness) => witness.cosign(note, checkpoint, tree)));
    this.#wanted = asked.filter((_, i) => lines[i] === undefined);
    const fresh = lines.filter((line) => line !== undefined);
    if (fresh.length === 0) return false;
    this.#cosignatures.push(...fresh);
    await this.storage.write(CHECKPOINT, Buffer.from(note + this.#cosignatures.join('')));
    return true;
  }

  #sign(head: TreeHead): string {
    const checkpoint = { origin: this.log.origin, size: head.size, root: head.root, extensions: [] };
    return signCheckpoint(checkpoint, [this.#signer]);
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
