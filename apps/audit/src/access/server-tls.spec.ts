import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type Leaf, TestCa } from '../../../../test/identity/test-certificates.js';
import { serverTls } from './server-tls.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-server-tls-'));
const [cert, key] = [join(folder, 'server.pem'), join(folder, 'server.key')];
let ca: TestCa;
let server: Server;
let stop: () => void;
const problems: string[] = [];

const put = ({ certPem, keyPem }: Pick<Leaf, 'certPem' | 'keyPem'>): void => {
  writeFileSync(cert, certPem);
  writeFileSync(key, keyPem);
};
const serialOf = (pem: string) => new X509Certificate(pem).serialNumber;
const served = () =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(
      { port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca: ca.pem },
      () => {
        resolve(socket.getPeerX509Certificate()!.serialNumber);
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come true');
}

beforeAll(async () => {
  ca = await TestCa.create();
  put(await ca.server());
  const environment = { SIEGEL_AUDIT_TLS_CERT_FILE: cert, SIEGEL_AUDIT_TLS_KEY_FILE: key };
  const tls = serverTls(environment as unknown as Parameters<typeof serverTls>[0])!;
  server = createServer(tls.options);
  stop = tls.watch(server, (message) => problems.push(message), 20);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  stop();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

describe('TLS files that change', () => {
  it('are taken into use without a restart', async () => {
    const next = await ca.server();
    put(next);
    await until(async () => (await served()) === serialOf(next.certPem));
    expect(problems.length).toBeLessThanOrEqual(1);
  });

  it('that are broken leave the former ones in use, and are taken when they are whole', async () => {
    const before = await served();
    problems.length = 0;
    writeFileSync(cert, 'broken');
    await until(() => problems.length > 0);
    expect(await served()).toBe(before);
    const next = await ca.server();
    put(next);
    await until(async () => (await served()) === serialOf(next.certPem));
  });
});
