import {
  EMPTY_ROOT,
  type NoteSigner,
  type NoteVerifier,
  type TileStorage,
  TileHashSource,
  TransparencyError,
  type TreeHead,
  ed25519Signer,
  ed25519Verifier,
  extendTiles,
  openCheckpoint,
  parseTilePath,
  sameHash,
  signCheckpoint,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import { StoreError } from '../store/log-database.js';
import type { CheckpointRegister } from './checkpoint-register.js';
import { CHECKPOINT, type TileStore } from './tile-store.js';
import type { TreeSource } from './tree-source.js';
import type { WitnessClient } from './witness-client.js';

/** Entries that one checkpoint adds at most; a publisher that is further behind makes several. */
export const MAX_STEP = 256 * 64;

/**
 * Publishes one log as tiles, in Sunlight's order of durable steps: entries that are committed, then tiles, then where there
 * are replicas the compare-and-swap of the signed checkpoint, then its publication. The head is what the register, or
 * without one the checkpoint file, says, so a crash between any two writes is continued from there; since tiles and
 * checkpoint are functions of the committed entries alone, no second history can come of it.
 */
export class TreePublisher {
  readonly #signers: readonly NoteSigner[];
  readonly #verifiers: readonly NoteVerifier[];
  #head: TreeHead | undefined;
  /** A signed checkpoint that is not public yet. */
  #signed: string | undefined;
  /** Those that have not cosigned the head. */
  #wanted: readonly WitnessClient[] = [];
  #cosignatures: string[] = [];

  constructor(
    readonly log: OwnLog,
    private readonly source: TreeSource,
    /** Those that sign: of two, the second one is the key before. */
    logKeys: KeyObject | readonly KeyObject[],
    readonly storage: TileStore,
    private readonly witnesses: readonly WitnessClient[] = [],
    /** Where replicas agree on the checkpoint before it is published; none where this process is alone. */
    private readonly register?: CheckpointRegister,
  ) {
    this.#wanted = witnesses;
    const keys = [logKeys].flat();
    this.#signers = keys.map((key) => ed25519Signer(log.origin, key));
    this.#verifiers = keys.map((key) => ed25519Verifier(log.origin, createPublicKey(key)));
  }

  /** The head that was signed last, published if a crash kept it from that. @throws StoreError, TransparencyError, FencedError */
  async head(): Promise<TreeHead> {
    if (this.#head) return this.#head;
    const note = await this.storage.read(CHECKPOINT);
    const published = note ? this.#open(note) : { size: 0, root: EMPTY_ROOT };
    const head = (await this.#registered(published)) ?? published;
    const committed = await this.source.committed();
    if (committed < head.size) {
      throw new StoreError(
        `${this.log.origin}: the store has ${committed} entries, but a checkpoint of ${head.size} was published; ` +
          'going on would fork the log. Restore the newer store.',
      );
    }
    this.#head = head;
    return head;
  }

  /** Publishes what was committed since; the new head, or undefined if there is nothing new. */
  async publish(): Promise<TreeHead | undefined> {
    const published = await this.head();
    await this.#publishSigned();
    const size = Math.min(await this.source.committed(), published.size + MAX_STEP);
    if (size === published.size) return undefined;
    await this.register?.require();
    const recorder = new FullTileRecorder(this.storage);
    const head = await extendTiles(recorder, published, size, this.source.entries);
    const note = this.#sign(head);
    // The tiles are durable; the register decides whose checkpoint this is; only then anybody sees it.
    await this.register?.advance(published.size, head, note);
    this.#head = head;
    this.#signed = note;
    this.#wanted = this.witnesses;
    this.#cosignatures = [];
    await this.#publishSigned();
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

  /** The head that replicas agreed on, made public if it is not yet. */
  async #registered(published: TreeHead): Promise<TreeHead | undefined> {
    const known = await this.register?.read();
    if (!known) return undefined;
    const { size, root } = this.#open(Buffer.from(known.note));
    if (size !== known.size || published.size > size)
      throw new StoreError(
        `${this.log.origin}: a checkpoint of ${published.size} was published, but the store knows one of ${size} alone; ` +
          'going on would fork the log. Restore the newer store.',
      );
    const tiles = size === 0 ? EMPTY_ROOT : await this.#rootOfTiles(size);
    if (!tiles || !sameHash(tiles, root) || (published.size === size && !sameHash(published.root, root)))
      throw new StoreError(
        `${this.log.origin}: these are not the tiles of the signed checkpoint of ${size}: all replicas need the same folder or container`,
      );
    if (published.size < size) this.#signed = known.note;
    await this.#publishSigned();
    return { size, root };
  }

  async #rootOfTiles(size: number): Promise<Buffer | undefined> {
    try {
      return await new TileHashSource(this.storage, size).root();
    } catch (error) {
      if (error instanceof TransparencyError && error.code === 'TILE_MISSING') return undefined;
      throw error;
    }
  }

  /** Writes the signed checkpoint where everybody reads it, unless that was done. */
  async #publishSigned(): Promise<void> {
    if (this.#signed === undefined) return;
    await this.storage.write(CHECKPOINT, Buffer.from(this.#signed));
    this.#signed = undefined;
  }

  #open(note: Uint8Array): TreeHead {
    const { size, root } = openCheckpoint(Buffer.from(note), this.log.origin, this.#verifiers);
    return { size, root };
  }

  #sign(head: TreeHead): string {
    const checkpoint = { origin: this.log.origin, size: head.size, root: head.root, extensions: [] };
    return signCheckpoint(checkpoint, this.#signers);
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
