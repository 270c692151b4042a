import { ConfigurationError } from '#platform';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { type EvidenceKeys, evidenceKeys, KEY_BYTES } from './evidence-keys.js';

const MAX_FILE_BYTES = 4_096;
const VARIABLE = 'SIEGEL_AUDIT_EVIDENCE_KEY_FILE';

/**
 * Reads the key file: one key a line, 32 bytes in base64. The first one encrypts what comes; former ones stay behind it for as long as
 * evidence of theirs is to be readable. A key that is taken out leaves what it encrypted unreadable for ever.
 * @param make make it with a new key where there is none: not where other processes need the same
 * @throws ConfigurationError
 */
export function readEvidenceKeys(path: string, make: boolean): EvidenceKeys {
  try {
    if (make && !existsSync(path)) create(path);
    const { mode, size } = statSync(path);
    if ((mode & 0o077) !== 0) throw new Error(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
    if (size > MAX_FILE_BYTES) throw new Error('is too large');
    const lines = readFileSync(path, 'utf8').trim().split(/\r?\n/);
    const keys = lines.map((line) => Buffer.from(line, 'base64'));
    if (keys.some((key, i) => key.length !== KEY_BYTES || key.toString('base64') !== lines[i]))
      throw new Error(`does not hold ${KEY_BYTES} bytes in base64 on each line`);
    return evidenceKeys(keys);
  } catch (error) {
    throw new ConfigurationError([{ variable: VARIABLE, message: (error as Error).message }]);
  }
}

function create(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  try {
    writeSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
