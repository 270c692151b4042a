import { afterAll, describe } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { PostgresServer } from '../../../../test/postgres-server.js';
import { committingContract } from '../../../../test/store-contract/committing.js';
import { readingContract } from '../../../../test/store-contract/reading.js';
import { type MakeStore, postgresStore, sqliteStore } from '../../../../test/stores-under-test.js';

const { privateKey } = generateKeyPairSync('ed25519');
const server = await PostgresServer.start();
afterAll(() => server?.close());

/** The identical cases on every kind of store. */
const kinds: [string, MakeStore][] = [['node:sqlite', () => sqliteStore(privateKey, 7)]];
if (server)
  kinds.push([
    'PostgreSQL',
    async (partition) => postgresStore(await server.database(), privateKey, partition),
  ]);

describe.each(kinds)('the store in %s', (_, make) => {
  committingContract(make, privateKey);
  readingContract(make);
});
