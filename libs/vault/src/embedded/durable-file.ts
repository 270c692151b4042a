import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes renames and links in a folder survive a power cut. */
export async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file so that every reader, and every crash, sees the old content or the new content and nothing between.
 * The caller holds the lock that makes `temporary` its own.
 */
export async function replaceFile(path: string, temporary: string, content: Uint8Array): Promise<void> {
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
