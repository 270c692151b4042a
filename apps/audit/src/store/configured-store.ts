import { join } from 'node:path';
import type { AuditEnvironment } from '../audit-environment.js';
import type { TileSettings } from '../tree/tile-store.js';
import { readPostgresUrl } from './postgres/connection.js';
import type { StoreSettings } from './store-settings.js';

/** The store that the configuration names: PostgreSQL where there is a file with its URL, else the embedded one. @throws ConfigurationError */
export function storeOf(environment: AuditEnvironment): StoreSettings {
  const { SIEGEL_AUDIT_POSTGRES_FILE: file, SIEGEL_STATE_DIR: folder } = environment;
  if (file === undefined)
    return { kind: 'sqlite', logPath: join(folder, 'log.db'), indexPath: join(folder, 'index.db') };
  const partition = environment.SIEGEL_AUDIT_POSTGRES_PARTITION;
  return { kind: 'postgres', postgres: { url: readPostgresUrl(file), partition } };
}

/** Where the logs are published. */
export function tilesOf({ SIEGEL_AUDIT_TILES_DIR, SIEGEL_STATE_DIR }: AuditEnvironment): TileSettings {
  return { kind: 'folder', folder: SIEGEL_AUDIT_TILES_DIR ?? join(SIEGEL_STATE_DIR, 'tree') };
}
