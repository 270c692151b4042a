import type { TileStorage } from '#transparency';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Tiles as files below one folder, in the layout that any web server can serve. A write is durable and whole or not at
 * all: the bytes are fsynced under another name, renamed, and the folder is fsynced.
 */
export class FileTileStorage implements TileStorage {
  /** Syncs of folders that have not begun: whoever comes before they do shares them. */
  readonly #waitingSyncs = new Map<string, Promise<void>>();
  readonly #runningSyncs = new Map<string, Promise<void>>();

  constructor(private readonly root: string) {}

  /** `path` must come from `tilePath` or be a constant: it is not checked here. */
  async read(path: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.root, path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const target = join(this.root, path);
    await this.#makeFolder(dirname(target));
    // One writer per folder (StateLock), so the name is free; what a crash left under it is overwritten.
    const draft = `${target}.new`;
    const file = await open(draft, 'w', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, target);
    await this.#syncShared(dirname(target));
  }

  /** Removes the partial tiles that the full tile at `path` contains. */
  async removePartials(path: string): Promise<void> {
    await rm(join(this.root, `${path}.p`), { recursive: true, force: true });
  }

  /** One sync makes all renames durable that were done before it began. */
  #syncShared(folder: string): Promise<void> {
    const waiting = this.#waitingSyncs.get(folder);
    if (waiting) return waiting;
    const sync = (async () => {
      await this.#runningSyncs.get(folder)?.catch(() => undefined);
      this.#waitingSyncs.delete(folder);
      const running = syncFolder(folder);
      this.#runningSyncs.set(folder, running);
      try {
        await running;
      } finally {
        if (this.#runningSyncs.get(folder) === running) this.#runningSyncs.delete(folder);
      }
    })();
    this.#waitingSyncs.set(folder, sync);
    return sync;
  }

  async #makeFolder(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true, mode: 0o755 });
    if (first === undefined) return;
    // A new folder is durable only once its parent is: sync all parents of what was created.
    const top = dirname(first);
    for (let folder = dirname(path); folder.length >= top.length; folder = dirname(folder))
      await syncFolder(folder);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
