import type { TileStorage } from '#transparency';
import { join } from 'node:path';
import type { OwnLog } from '../own-log.js';
import { openContainer } from './blob-container.js';
import type { BlobSettings } from './blob-settings.js';
import { BlobTileStorage } from './blob-tile-storage.js';
import { FileTileStorage } from './file-tile-storage.js';

/** Where in a tile store the signed checkpoint is; everything else in it is a tile. */
export const CHECKPOINT = 'checkpoint';

/**
 * Where one log is published. When `write` resolves, the bytes are durable and readers see them; a tile is written whole
 * or not at all, and is never changed. The checkpoint is the one thing that is replaced.
 *
 * Of several replicas one writes. After `claim(term)` resolved, no write of a holder of a lower term takes effect, however
 * long that process was paused and wherever it goes on: its `write` throws FencedError instead. A store for one process
 * alone needs no claim. The caller makes sure by its own compare-and-swap that a term has one holder, and asks there once
 * more after its claim: a claim that was paused itself must not undo a later one (docs/decisions/0006).
 */
export interface TileStore extends TileStorage {
  claim(term: number): Promise<void>;
  /** Removes the partial tiles that the full tile at `path` contains. */
  removePartials(path: string): Promise<void>;
}

/** Which store, as it can be handed to a thread. */
export type TileSettings = { kind: 'folder'; folder: string } | { kind: 'blob'; blob: BlobSettings };

/** The store of one log's tiles. */
export function openTileStore(settings: TileSettings, log: Pick<OwnLog, 'name'>): TileStore {
  if (settings.kind === 'folder') return new FileTileStorage(join(settings.folder, log.name));
  const { blob } = settings;
  return new BlobTileStorage(() => openContainer(blob), `${blob.prefix}${log.name}/`);
}
