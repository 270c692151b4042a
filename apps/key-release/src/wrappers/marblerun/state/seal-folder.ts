import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { constants, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

export const SEALED_DATA = 'sealed_data';
export const SEALED_KEY = 'sealed_key';
const LOCK = '.lock';
const LOCK_RETRY_MS = 20;

export class SealFolderError extends Error {
  override readonly name = 'SealFolderError';
}

/**
 * The folder of one deployment's sealed state. Files are replaced whole and durably; one process at a time has the folder, by a lock that
 * ends with the process however it ends.
 */
export class SealFolder {
  private constructor(
    readonly path: string,
    private readonly lock: DatabaseSync,
  ) {}

  /** @throws SealFolderError while another process has it, after waiting for `waitMs` */
  static async open(path: string, waitMs = 5_000): Promise<SealFolder> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const lockFile = join(path, LOCK);
    closeSync(openSync(lockFile, 'a', 0o600));
    const deadline = Date.now() + waitMs;
    for (;;) {
      // Node has no flock(); SQLite's exclusive transaction on an empty database is a lock of the operating system.
      const database = new DatabaseSync(lockFile, { timeout: 0 });
      try {
        database.exec('BEGIN EXCLUSIVE');
        return new SealFolder(path, database);
      } catch (cause) {
        database.close();
        const busy = [5, 6].includes((cause as { errcode?: number }).errcode ?? 0);
        if (!busy || Date.now() > deadline)
          throw new SealFolderError(
            `${path}: ${busy ? 'another process has this state' : 'cannot be locked'}`,
            {
              cause,
            },
          );
      }
      await sleep(LOCK_RETRY_MS);
    }
  }

  async read(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.path, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Replaces a file: after a crash it is the old one or the new one. */
  async replace(name: string, content: Uint8Array): Promise<void> {
    const draft = join(this.path, `${name}.${randomBytes(6).toString('hex')}.new`);
    try {
      const handle = await open(draft, 'wx', 0o600);
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, join(this.path, name));
    } catch (error) {
      await unlink(draft).catch(() => undefined);
      throw error;
    }
    await this.sync();
  }

  /** Keeps a file under another name, out of the way. */
  async setAside(name: string, as: string): Promise<void> {
    await rename(join(this.path, name), join(this.path, as));
    await this.sync();
  }

  close(): void {
    this.lock.close();
  }

  private async sync(): Promise<void> {
    const folder = await open(this.path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
