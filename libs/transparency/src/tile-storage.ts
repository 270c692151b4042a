import { TransparencyError } from './error.js';

/**
 * Where the immutable files of one log live. Implementations decide on the medium; this library relies on:
 * - when `write` resolves, the bytes survive a crash and a power loss under that path;
 * - a path is written again only with the same bytes (after a crash), and a reader never sees a half-written one;
 * - `read` resolves with undefined if nothing was ever written there, and rejects if that cannot be told.
 */
export interface TileStorage {
  read(path: string): Promise<Buffer | undefined>;
  write(path: string, bytes: Uint8Array): Promise<void>;
}

/** Tiles in memory, for verifiers that fetched them already and for tests. */
export class MemoryTileStorage implements TileStorage {
  readonly files = new Map<string, Buffer>();

  read(path: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.files.get(path));
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    const known = this.files.get(path);
    if (known && !known.equals(bytes)) {
      return Promise.reject(
        new TransparencyError('TREE_INCONSISTENT', `${path} would change; tiles are immutable`),
      );
    }
    this.files.set(path, Buffer.from(bytes));
    return Promise.resolve();
  }
}
