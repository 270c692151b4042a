import { SUBJECTS } from '#contracts';
import type { ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { Azurite } from './azurite.js';

let azurite: Azurite;
let container: ContainerClient;
let deployment: AuditDeployment;
let sent = 0;

beforeAll(async () => {
  azurite = await Azurite.start();
  container = await azurite.container('audit-log');
  deployment = new AuditDeployment({
    SIEGEL_AUDIT_TILES_BLOB_FILE: azurite.settingsFile('audit-log'),
    SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100',
  });
  await deployment.start();
}, 90_000);
afterAll(async () => {
  await deployment.close();
  await azurite.stop();
});

const published = async (): Promise<string> =>
  (await container.getBlobClient('logs/default/checkpoint').downloadToBuffer()).toString('utf8');
const sizeIn = (note: string): number => Number(note.split('\n')[1]);

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of container.listBlobsFlat()) found.push(name);
  return found;
}

async function append(count: number): Promise<void> {
  const requests = await deployment.requests();
  const emitter = new TestEmitter(deployment.emitterKey);
  await Promise.all(
    Array.from({ length: count }, () => requests.request(SUBJECTS.auditAppend, emitter.event().entry, 5_000)),
  );
  sent += count;
}

describe('a log whose tiles lie in Azure Blob Storage', () => {
  it('is published there, goes on behind a SIGKILL and verifies as a whole', async () => {
    await append(280);
    await until(async () => sizeIn(await published()) >= 280, 10_000, 'nothing was published');
    // Behind the checkpoint that no longer needs them.
    const partials = async () =>
      (await names()).filter((name) => name.startsWith('logs/default/tile/entries/000.p/'));
    await until(async () => (await partials()).length === 0, 10_000, 'partial tiles of a full one stay');
    await deployment.stopAudit('SIGKILL');
    const before = sizeIn(await published());
    await deployment.startAudit();
    await append(30);
    await until(async () => sizeIn(await published()) >= sent, 10_000, 'it does not go on');
    expect(sizeIn(await published())).toBeGreaterThan(before);
    expect(await names()).toEqual(
      expect.arrayContaining(['logs/default/tile/0/000', 'logs/default/tile/entries/000']),
    );
    const terminal = recordingTerminal();
    const token = ['--audit-token-file', join(deployment.state, 'api.token')];
    const where = ['--tiles', `${deployment.url}/v1/log`, '--trust', join(deployment.folder, 'trust.json')];
    const code = await run(
      ['audit', 'verify', '--json', '--tenant', 'default', ...where, ...token],
      terminal,
    );
    const report = JSON.parse(terminal.written.out) as { ok: boolean; origin: string; events: number };
    expect({ code, ...report }).toMatchObject({ code: 0, ok: true, origin: ORIGIN });
    expect(report.events).toBeGreaterThanOrEqual(sent);
  }, 60_000);

  it('gives receipts as ever', async () => {
    const receipt = await deployment.get('/v1/log/receipt?index=7');
    expect([receipt.status, (await receipt.text()).startsWith('c2sp.org/tlog-proof@v1\n')]).toEqual([
      200,
      true,
    ]);
  });

  it('is not gone on with by a service that lost the store', async () => {
    // Another service with the same key, an empty store and the same container would fork the log.
    const stranger = new AuditDeployment({ SIEGEL_AUDIT_TILES_BLOB_FILE: azurite.settingsFile('audit-log') });
    for (const name of ['log.pem', 'emitter.pem', 'trust.json'])
      copyFileSync(join(deployment.folder, name), join(stranger.folder, name));
    try {
      await stranger.startNats();
      await expect(stranger.startAudit()).rejects.toThrow(/would fork the log/);
    } finally {
      await stranger.close();
    }
  }, 30_000);
});
