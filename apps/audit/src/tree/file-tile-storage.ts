import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FencedError } from '../store/fenced-error.js';
import type { TileStore } from './tile-store.js';

const DRAFTS = /^\.term-([0-9]{1,15})$/;

/**
 * Tiles as files below one folder, in the layout that any web server can serve. A write is durable and whole or not at
 * all: the bytes are fsynced under another name, renamed, and the folder is fsynced.
 *
 * Replicas that share the folder are fenced by where their drafts lie: in a folder of their term, which the holder of a
 * later term removes. A rename is one step of the file system, so the paused holder of an earlier term finds that its
 * draft is gone, wherever it goes on; it never makes its folder again.
 */
export class FileTileStorage implements TileStore {
  #drafts: string | undefined;
  #draft = 0;
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
    // Without terms there is one writer per folder (StateLock), so the name is free; what a crash left under it is overwritten.
    const draft = this.#drafts === undefined ? `${target}.new` : join(this.#drafts, String(++this.#draft));
    await this.#fenced(async () => {
      const file = await open(draft, 'w', 0o644);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, target);
    });
    await this.#syncShared(dirname(target));
  }

  async claim(term: number): Promise<void> {
    await this.#makeFolder(this.root);
    const own = join(this.root, `.term-${term}`);
    await mkdir(own, { mode: 0o755 });
    for (const name of await readdir(this.root)) {
      const other = DRAFTS.exec(name)?.[1];
      if (other !== undefined && Number(other) < term) await removeFolder(join(this.root, name));
    }
    await syncFolder(this.root);
    this.#drafts = own;
  }

  async removePartials(path: string): Promise<void> {
    const partials = join(this.root, `${path}.p`);
    if (this.#drafts === undefined) return rm(partials, { recursive: true, force: true });
    const aside = join(this.#drafts, String(++this.#draft));
    try {
      await rename(partials, aside);
    } catch (error) {
      // Either there are none, which is the usual case, or the term is over, which the next write finds.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  }

  /** Runs what needs the folder of our term; that it is gone means that a later term began. */
  async #fenced(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#drafts === undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new FencedError('the tiles are written by another process now', { cause: error });
    }
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

/** Moved aside first: a holder that is still writing could fill the folder again while it is being emptied. */
async function removeFolder(path: string): Promise<void> {
  const aside = join(dirname(path), `.over-${path.split('.term-').at(-1)}`);
  await rm(aside, { recursive: true, force: true });
  try {
    await rename(path, aside);
  } catch (error) {
    // Another claim was faster.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
