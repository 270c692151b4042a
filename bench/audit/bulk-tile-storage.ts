import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TileStore } from '../../apps/audit/src/tree/tile-store.js';

/**
 * The folder that FileTileStorage reads and continues, filled without waiting for the disk at every file: a generated log
 * that a power loss takes is generated again.
 */
export class BulkTileStorage implements TileStore {
  readonly #folders = new Set<string>();

  constructor(private readonly root: string) {}

  read(path: string): Promise<Buffer | undefined> {
    try {
      return Promise.resolve(readFileSync(join(this.root, path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Promise.resolve(undefined);
      return Promise.reject(error as Error);
    }
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    const target = join(this.root, path);
    const folder = dirname(target);
    if (!this.#folders.has(folder)) mkdirSync(folder, { recursive: true, mode: 0o755 });
    this.#folders.add(folder);
    writeFileSync(target, bytes);
    return Promise.resolve();
  }

  claim(): Promise<void> {
    return Promise.resolve();
  }

  removePartials(path: string): Promise<void> {
    const folder = join(this.root, `${path}.p`);
    if (this.#folders.delete(folder)) rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  }
}
