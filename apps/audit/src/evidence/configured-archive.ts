import { ConfigurationError } from '#platform';
import { join } from 'node:path';
import type { AuditEnvironment } from '../audit-environment.js';
import { storeOf } from '../store/configured-store.js';
import type { ArchiveReader, ArchiveWriter } from './archive.js';
import { ArchiveClient } from './archive-client.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { readEvidenceKeys } from './evidence-key-file.js';

const HOUR_MS = 3_600_000;
const MEGABYTE = 1024 * 1024;
const CONNECTIONS = 3;
const STATEMENT_TIMEOUT_MS = 10_000;

export interface ConfiguredArchive {
  reader: ArchiveReader;
  /** What keeps, under the term in which this process sequences the log; the embedded store has no terms. */
  claim(term: number): Promise<ArchiveWriter>;
}

/** The archive of evidence, where it lies beside the log that the configuration names; undefined where it is off. @throws ConfigurationError */
export async function openArchive(
  environment: AuditEnvironment,
  onFailure: (error: Error) => void,
): Promise<ConfiguredArchive | undefined> {
  if (environment.SIEGEL_AUDIT_EVIDENCE === 'off') return undefined;
  const { SIEGEL_AUDIT_EVIDENCE_KEY_FILE: file, SIEGEL_STATE_DIR: folder } = environment;
  const limits = {
    maxAgeMs: environment.SIEGEL_AUDIT_EVIDENCE_MAX_AGE_HOURS * HOUR_MS,
    maxBytes: environment.SIEGEL_AUDIT_EVIDENCE_MAX_MEGABYTES * MEGABYTE,
  };
  const store = storeOf(environment);
  if (store.kind === 'sqlite') {
    const { all } = readEvidenceKeys(file ?? join(folder, 'evidence.key'), true);
    const keys = [...all.values()].map(({ key }) => new Uint8Array(key));
    const archive = new ArchiveClient({ path: join(folder, 'evidence.db'), keys, limits }, onFailure);
    return { reader: archive, claim: () => Promise.resolve(archive) };
  }
  // A key that one replica made for itself would leave what it encrypts unreadable to all others.
  if (file === undefined)
    throw new ConfigurationError([
      {
        variable: 'SIEGEL_AUDIT_EVIDENCE_KEY_FILE',
        message: 'is needed where evidence is kept in PostgreSQL: the same key for all replicas',
      },
    ]);
  const cipher = new EvidenceCipher(readEvidenceKeys(file, false));
  // Loaded only where they are needed.
  const { PostgresDatabase } = await import('../store/postgres/database.js');
  const { PostgresArchive } = await import('./postgres-archive.js');
  const database = new PostgresDatabase(store.postgres, {
    name: `siegel-audit evidence ${environment.SIEGEL_INSTANCE}`.slice(0, 63),
    connections: CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const archive = new PostgresArchive(database, cipher, limits);
  return { reader: archive, claim: (term) => archive.claim(term) };
}
