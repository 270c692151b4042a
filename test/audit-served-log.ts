import {
  EMPTY_ROOT,
  MemoryTileStorage,
  type TreeHead,
  decodeEntryBundle,
  ed25519Signer,
  extendTiles,
  openCheckpoint,
  ed25519Verifier,
  signCheckpoint,
  tilePath,
} from '#transparency';
import { type KeyObject, createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Files of a published log in memory, as an operator has them at hand. */
export type LogFiles = Map<string, Buffer>;

/** All entries of a log that a real audit service published in a folder. */
export function entriesIn(folder: string, origin: string, key: KeyObject): Buffer[] {
  const note = readFileSync(join(folder, 'checkpoint'));
  const { size } = openCheckpoint(note, origin, ed25519Verifier(origin, createPublicKey(key)));
  const entries: Buffer[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    const partial = join(folder, tilePath({ level: 'entries', index, width }));
    const [path, held] = existsSync(partial)
      ? [partial, width]
      : [join(folder, tilePath({ level: 'entries', index, width: 256 })), 256];
    entries.push(...decodeEntryBundle(readFileSync(path), held).slice(0, width));
  }
  return entries;
}

/** What an operator with the log's real key can publish: any history, with all its tiles and a valid checkpoint. */
export async function published(
  entries: readonly Buffer[],
  origin: string,
  key: KeyObject,
): Promise<{ files: LogFiles; head: TreeHead; note: string }> {
  const storage = new MemoryTileStorage();
  const empty = { size: 0, root: EMPTY_ROOT };
  const head = await extendTiles(storage, empty, entries.length, (start, end) => entries.slice(start, end));
  const note = signCheckpoint({ origin, ...head, extensions: [] }, [ed25519Signer(origin, key)]);
  await storage.write('checkpoint', Buffer.from(note));
  return { files: storage.files, head, note };
}

/** Serves a log's files as the audit service does, and whatever else a test puts in their place. */
export class ServedLog {
  files: LogFiles | string = new Map();

  private constructor(private readonly server: Server) {}

  static async start(prefix: string): Promise<ServedLog> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '').startsWith(prefix) ? request.url!.slice(prefix.length) : '';
      const bytes = served.read(path);
      response.writeHead(bytes ? 200 : 404);
      response.end(bytes);
    });
    const served = new ServedLog(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return served;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private read(path: string): Buffer | undefined {
    if (typeof this.files !== 'string') return this.files.get(path);
    const file = join(this.files, path);
    return path !== '' && existsSync(file) ? readFileSync(file) : undefined;
  }
}
