import { ConfigurationError } from '#platform';
import { join } from 'node:path';
import type { AuditEnvironment } from '../audit-environment.js';
import { readBlobFile } from '../tree/blob-settings.js';
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

/** Where the logs are published. @throws ConfigurationError */
export function tilesOf(environment: AuditEnvironment): TileSettings {
  const { SIEGEL_AUDIT_TILES_DIR: folder, SIEGEL_AUDIT_TILES_BLOB_FILE: file } = environment;
  if (file === undefined)
    return { kind: 'folder', folder: folder ?? join(environment.SIEGEL_STATE_DIR, 'tree') };
  if (folder !== undefined)
    throw new ConfigurationError([
      { variable: 'SIEGEL_AUDIT_TILES_BLOB_FILE', message: 'excludes SIEGEL_AUDIT_TILES_DIR' },
    ]);
  return { kind: 'blob', blob: readBlobFile(file) };
}
