import { LocalSigner, MeshCa, PublicKey } from '#pki';
import { ConfigurationError, HealthRegistry, type NatsRequests, type Trust } from '#platform';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Registry } from 'prom-client';
import type { CollateralService } from '../collateral/collateral.service.js';
import type { VerifierEnvironment } from '../config/environment.js';
import type { VerifyService } from '../verdict/verify.service.js';
import { MaaListener } from './maa-listener.js';

// RSA keys take their time on a busy machine.
jest.setTimeout(60_000);

let folder: string;
let ca: MeshCa;
let emitter: LocalSigner;
let port: number;
let listener: MaaListener | undefined;
let health: HealthRegistry;

const path = (name: string): string => join(folder, name);

async function certify(name: string): Promise<void> {
  const key = LocalSigner.generate('ES256');
  const spki = PublicKey.fromKeyObject(key.publicKey);
  const leaf = await ca.issueLeaf({ spki, dns: [name], ttlSeconds: 3_600, now: new Date() });
  writeFileSync(path('tls.pem'), leaf.chainPem);
  writeFileSync(path('tls-key.pem'), key.toPem());
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port: chosen } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return chosen;
}

/** The name of the certificate that a new connection is shown. */
function shownName(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-maa-listener-'));
  ca = await MeshCa.open({ trustDomain: 'test.example' });
  emitter = await LocalSigner.createFile(path('emitter.pem'), 'EdDSA');
  port = await freePort();
  await certify('a.example');
  writeFileSync(
    path('tenants.json'),
    JSON.stringify({ tenants: { default: { issuer: 'https://a.example' } } }),
  );
});
afterEach(async () => {
  await listener?.onModuleDestroy();
  listener = undefined;
  rmSync(folder, { recursive: true });
});

function make(change: Partial<VerifierEnvironment> = {}, emitterName = 'quote-verifier'): MaaListener {
  health = new HealthRegistry();
  const environment = {
    SIEGEL_STATE_DIR: folder,
    SIEGEL_HTTP_HOST: '127.0.0.1',
    SIEGEL_INSTANCE: 'v1',
    SIEGEL_MAA_PORT: port,
    SIEGEL_MAA_TENANTS_FILE: path('tenants.json'),
    SIEGEL_MAA_TLS_CERT_FILE: path('tls.pem'),
    SIEGEL_MAA_TLS_KEY_FILE: path('tls-key.pem'),
    SIEGEL_MAA_KEY_DAYS: 90,
    SIEGEL_MAA_MAX_IN_FLIGHT: 8,
    SIEGEL_EMITTER_KEY_FILE: path('emitter.pem'),
    SIEGEL_LOG_ORIGIN: 'log.example',
    SIEGEL_AUDIT_TIMEOUT_MS: 500,
    ...change,
  } as VerifierEnvironment;
  const trust = {
    emitters: new Map([[emitter.kid, { name: emitterName, key: emitter.publicKey }]]),
    logs: [],
  } as unknown as Trust;
  listener = new MaaListener({
    environment,
    trust,
    requests: {} as NatsRequests,
    verifier: {} as VerifyService,
    collateral: {} as CollateralService,
    health,
    registry: new Registry(),
    clock: () => new Date(),
  });
  return listener;
}
const variableOf = async (starting: Promise<void>): Promise<unknown> => {
  try {
    await starting;
    return 'started';
  } catch (error) {
    return error instanceof ConfigurationError ? error.problems[0]?.variable : error;
  }
};

describe('MaaListener', () => {
  it('does nothing without a port', async () => {
    await make({ SIEGEL_MAA_PORT: 0 }).onApplicationBootstrap();
    await expect(shownName()).rejects.toThrow(/ECONNREFUSED/);
    expect(await health.ready()).toEqual({ ok: true, checks: {} });
  });

  it('takes over a renewed certificate without a restart, and keeps the old one where the new one is none', async () => {
    const started = make();
    await started.onApplicationBootstrap();
    expect((await health.ready()).checks).toEqual({ maa: { ok: true }, audit: { ok: true } });
    expect(await shownName()).toBe('a.example');
    await certify('renewed.example');
    await started.maintain();
    expect(await shownName()).toBe('renewed.example');
    writeFileSync(path('tls.pem'), 'half a file');
    await started.maintain();
    expect(await shownName()).toBe('renewed.example');
  });

  it.each<[string, Partial<VerifierEnvironment>, string]>([
    ['SIEGEL_MAA_TENANTS_FILE', { SIEGEL_MAA_TENANTS_FILE: '/nonexistent' }, 'quote-verifier'],
    ['SIEGEL_MAA_TLS_CERT_FILE', { SIEGEL_MAA_TLS_CERT_FILE: '/nonexistent' }, 'quote-verifier'],
    ['SIEGEL_EMITTER_KEY_FILE', { SIEGEL_EMITTER_KEY_FILE: '/nonexistent' }, 'quote-verifier'],
    ['SIEGEL_EMITTER_KEY_FILE', {}, 'key-release'],
    ['SIEGEL_MAA_KEY_DIR', { SIEGEL_MAA_KEY_DIR: '/dev/null/keys' }, 'quote-verifier'],
  ])('names %s where it is wrong (%#)', async (variable, change, name) => {
    expect(await variableOf(make(change, name).onApplicationBootstrap())).toBe(variable);
  });
});
