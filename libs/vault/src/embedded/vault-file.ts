import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { VaultError } from '../errors.js';
import { replaceFile } from './durable-file.js';
import { checkSeal, openRecord, sealDigest, type RecordIdentity } from './record-cipher.js';
import type { VaultKeys } from './vault-key.js';

const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** One version of one secret, as it lies in the file and in memory: encrypted. */
export interface StoredRecord {
  readonly name: string;
  readonly version: string;
  /** Order of creation over the whole vault; the highest of a name is its latest version. */
  readonly sequence: number;
  readonly sealed: Buffer;
}

export interface VaultContent {
  readonly vaultId: string;
  /** Grows by one with each write; a process never goes back behind what it has seen. */
  readonly generation: number;
  readonly records: readonly StoredRecord[];
}

const Header = z.strictObject({
  format: z.literal('siegel-vault'),
  formatVersion: z.literal(1),
  vaultId: z.string().regex(/^[0-9a-f]{32}$/),
  keyCheck: z.string().regex(/^[0-9a-f]{32}$/),
  generation: z.int().nonnegative(),
  count: z.int().nonnegative(),
});
const Line = z.strictObject({
  name: z.string().max(127),
  version: z.string().regex(/^[0-9a-f]{32}$/),
  sequence: z.int().nonnegative(),
  sealed: z.base64(),
});
const Trailer = z.strictObject({ seal: z.base64() });

export const vaultFilePath = (dir: string): string => join(dir, 'vault.ndjson');

/** Which state of the file a reader has seen; undefined while there is none. */
export function fileState(dir: string): string | undefined {
  const status = statSync(vaultFilePath(dir), { bigint: true, throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.ino}.${status.size}.${status.mtimeNs}`;
}

/**
 * The content of the file, each record authenticated; undefined if there is no file yet.
 * @throws VaultError VAULT_CORRUPT, VAULT_KEY_INVALID, SECRET_TAMPERED
 */
export function readVaultFile(dir: string, keys: VaultKeys): VaultContent | undefined {
  const path = vaultFilePath(dir);
  let text: string;
  try {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) return undefined;
    if (status.size > MAX_FILE_BYTES)
      throw new Error(`it has ${status.size} bytes, at most ${MAX_FILE_BYTES} are read`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw corrupt(path, (error as Error).message, error);
  }
  const lines = text.split('\n');
  if (lines.pop() !== '') throw corrupt(path, 'the last line is not complete');
  if (lines.length < 2) throw corrupt(path, 'it has no header and trailer');
  const header = parseLine(Header, lines[0] ?? '', path, 1);
  if (header.keyCheck !== keys.check(header.vaultId)) {
    throw new VaultError('VAULT_KEY_INVALID', `the key file is not the one that belongs to ${path}`);
  }
  const trailer = parseLine(Trailer, lines.at(-1) ?? '', path, lines.length);
  const body = lines.slice(0, -1);
  if (!checkSeal(keys.seal, digestOf(body), Buffer.from(trailer.seal, 'base64'))) {
    throw new VaultError('SECRET_TAMPERED', `${path} does not authenticate as a whole`);
  }
  if (header.count !== lines.length - 2) throw corrupt(path, 'the number of records is not the stated one');
  const records = lines.slice(1, -1).map((line, index) => {
    const { sealed, ...rest } = parseLine(Line, line, path, index + 2);
    return { ...rest, sealed: Buffer.from(sealed, 'base64') };
  });
  for (const record of records) {
    openRecord(keys.record, identityOf(header.vaultId, record), record.sealed).value.fill(0);
  }
  return { vaultId: header.vaultId, generation: header.generation, records };
}

export async function writeVaultFile(dir: string, keys: VaultKeys, content: VaultContent): Promise<void> {
  const header: z.infer<typeof Header> = {
    format: 'siegel-vault',
    formatVersion: 1,
    vaultId: content.vaultId,
    keyCheck: keys.check(content.vaultId),
    generation: content.generation,
    count: content.records.length,
  };
  const body = [
    JSON.stringify(header),
    ...content.records.map((record) =>
      JSON.stringify({ ...record, sealed: record.sealed.toString('base64') }),
    ),
  ];
  const seal = sealDigest(keys.seal, digestOf(body)).toString('base64');
  const bytes = Buffer.from([...body, JSON.stringify({ seal }), ''].join('\n'));
  if (bytes.length > MAX_FILE_BYTES) {
    throw new VaultError('SECRET_TOO_LARGE', `the embedded vault would grow above ${MAX_FILE_BYTES} bytes`);
  }
  await replaceFile(vaultFilePath(dir), `${vaultFilePath(dir)}.tmp`, bytes);
}

export const newVaultContent = (): VaultContent => ({
  vaultId: randomBytes(16).toString('hex'),
  generation: 0,
  records: [],
});

export const identityOf = (vaultId: string, record: Omit<StoredRecord, 'sealed'>): RecordIdentity => ({
  vaultId,
  name: record.name,
  version: record.version,
  sequence: record.sequence,
});

const digestOf = (lines: readonly string[]): Buffer => {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line).update('\n');
  return hash.digest();
};

function parseLine<T>(schema: z.ZodType<T>, line: string, path: string, number: number): T {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw corrupt(path, `line ${number} is not JSON`, error);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw corrupt(path, `line ${number}: ${z.prettifyError(result.error)}`);
  return result.data;
}

const corrupt = (path: string, why: string, cause?: unknown): VaultError =>
  new VaultError(
    'VAULT_CORRUPT',
    `${path} cannot be read: ${why}`,
    {},
    cause === undefined ? undefined : { cause },
  );
