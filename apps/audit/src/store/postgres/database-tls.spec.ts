import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestCa } from '../../../../../test/identity/test-certificates.js';
import { PostgresServer } from '../../../../../test/postgres-server.js';
import { readPostgresUrl } from './connection.js';
import { PostgresDatabase } from './database.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-pg-tls-'));
const ca = await TestCa.create();
const server = await PostgresServer.start(
  await ca.leaf({ subject: 'CN=localhost', usage: 'server', san: [{ type: 'dns', value: 'localhost' }] }),
);
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const encrypted = async (host: string, query: string): Promise<boolean> => {
  const file = write('url', `postgresql://siegel@${host}:${server!.port}/postgres?${query}`);
  const settings = { name: 'test', connections: 1, statementTimeoutMs: 5_000 };
  const database = new PostgresDatabase({ url: readPostgresUrl(file), partition: 'month' }, settings);
  try {
    const { rows } = await database.pool.query<{ ssl: boolean }>(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    return rows[0]!.ssl;
  } finally {
    await database.close();
  }
};

(server ? describe : describe.skip)('a connection with sslmode=verify-full', () => {
  it('is encrypted, to a server whose name and authority are right', async () => {
    const root = write('ca.pem', ca.pem);
    expect(await encrypted('localhost', `sslmode=verify-full&sslrootcert=${root}`)).toBe(true);
  });

  it('is not made to a server of another name, or of another authority', async () => {
    const root = write('ca.pem', ca.pem);
    // The certificate names localhost alone.
    await expect(encrypted('127.0.0.1', `sslmode=verify-full&sslrootcert=${root}`)).rejects.toThrow(
      /does not match certificate/,
    );
    const other = write('other.pem', (await TestCa.create('CN=Other CA')).pem);
    await expect(encrypted('localhost', `sslmode=verify-full&sslrootcert=${other}`)).rejects.toThrow(
      /unable to|self-signed|signature/i,
    );
    await expect(encrypted('localhost', 'sslmode=verify-full')).rejects.toThrow(/unable to|self-signed/i);
  });
});
