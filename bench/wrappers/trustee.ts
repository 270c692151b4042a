import {
  createCipheriv,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { TeeKeyPair } from '../../test/trustee/tee-key-pair.js';
import type { Load, Measurement } from './main.js';
import { QuickKbsClient } from './quick-kbs-client.js';
import { medianOf, type Operation, runThrough } from './request-load.js';
import type { WrapperReport } from './report.js';

const SECRET = 'hello-secret';
const PATH = 'default/key/test';
const manifest = `siegel: v1
workloads:
  app:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
    secrets: [{ vault: ${VAULT}, objectName: text, objectType: secret, objectAlias: TEXT, as: env }]
    trustee: { resources: [{ path: ${PATH}, secret: TEXT }] }
`;

/** Of so many answers one is looked into, as the generator shares its processors with the service. */
const OPENED = 16;

/** What Trustee's own service did on such a machine, 16 in flight, from its memory store and with sample evidence. */
const TRUSTEE = { attestsPerSecond: 482, readsPerSecond: 1_413 };
const AHEAD = 1.2;

/** Each client has one request in flight. */
type Prepare = (clients: readonly QuickKbsClient[]) => Promise<Operation>;

/** A new session, a new quote over its nonce and the client's key. */
const attests: Prepare = (clients) => {
  let count = 0;
  return Promise.resolve(async (worker, timing) => {
    const client = clients[worker]!;
    const nonce = await timing('auth', () => client.auth());
    const token = await timing('attest', () => client.attest(nonce));
    return count++ % OPENED !== 0 || workloadOf(token) === 'app';
  });
};

/** One resource by the session's cookie: decided, logged and sealed each time. */
const reads: Prepare = async (clients) => {
  for (const client of clients) await client.attest(await client.auth());
  let count = 0;
  return async (worker) => {
    const client = clients[worker]!;
    const sealed = await client.read(PATH);
    return count++ % OPENED !== 0 || (await client.key.open(sealed)).toString() === SECRET;
  };
};

/**
 * Clients of protocol 0.4.0 over plain HTTP and kept connections, as Trustee's own figures were taken.
 * @param paced at 1.2 times the rate that Trustee's service reached, instead of as fast as the answers come
 */
export const measureTrustee =
  (operation: 'attest' | 'read', { paced }: { paced: boolean }): Measurement =>
  async (load, say) => {
    const attesting = operation === 'attest';
    const rate = Math.ceil(AHEAD * (attesting ? TRUSTEE.attestsPerSecond : TRUSTEE.readsPerSecond));
    const name = attesting ? 'auth+attest' : 'reads by cookie';
    return {
      ...forcedCryptography(attesting),
      ...(await withClients(load, say, attesting ? attests : reads, paced ? { rate } : {})),
      operation: paced ? `${name} (due: ${rate}/s)` : name,
    };
  };

async function withClients(
  load: Load,
  say: (text: string) => void,
  prepare: Prepare,
  pace: { rate?: number },
): Promise<Omit<WrapperReport, 'operation' | 'cryptoFloorMs' | 'cryptoFloorParts'>> {
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0, trustee: 0 },
    tenant: 'default',
    logLevel: 'warn',
    // Every handshake leaves a session until it expires; by default 10,000 are taken.
    environment: { SIEGEL_TRUSTEE_TLS: 'false', SIEGEL_TRUSTEE_MAX_SESSIONS: '200000' },
    progress: say,
  });
  const clients: QuickKbsClient[] = [];
  try {
    await administer(deployment);
    const { platform } = deployment.world;
    const quote = (reportData: Buffer): Buffer => platform.quote({ ...PAYMENTS, reportData });
    const port = deployment.settings.ports.trustee!;
    for (let at = 0; at < load.concurrency; at++)
      clients.push(await QuickKbsClient.connect(port, TeeKeyPair.generate(), quote));
    const warmUp = Math.min(3_000, load.count);
    return await runThrough(deployment, await prepare(clients), { ...load, ...pace, warmUp }, say);
  } finally {
    for (const client of clients) client.close();
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function administer(deployment: LocalDeployment): Promise<void> {
  const { layout, publicUrl, ports, tenant } = deployment.settings;
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const service = new HttpsJson(publicUrl, read(layout.caCertificate));
  const audit = { url: `http://127.0.0.1:${ports.audit}`, token: read(layout.auditToken) };
  const admin = new AdminClient(service, read(layout.adminToken), audit);
  await admin.putSecret(tenant, VAULT, 'text', SECRET);
  await admin.setManifest(tenant, manifest, 0);
  service.close();
}

/** What the client reads of its token, and of our part of it the workload. */
function workloadOf(token: string): string | undefined {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
  const { exp, siegel } = JSON.parse(payload) as { exp?: unknown; siegel?: { workload?: string } };
  return typeof exp === 'number' ? siegel?.workload : undefined;
}

/** What the protocol itself makes the services compute; signatures of the pipeline are not counted. */
function forcedCryptography(attesting: boolean): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(3_000);
  const signature = sign('sha256', bytes, p256.privateKey);
  const key = createSecretKey(bytes.subarray(0, 32));
  return medianOf(
    attesting
      ? {
          quote: () => verify('sha256', bytes, p256.publicKey, signature),
          token: () => sign('sha256', bytes, p256.privateKey),
        }
      : {
          ephemeralKey: () =>
            generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
          agreement: () => diffieHellman({ privateKey: p256.privateKey, publicKey: p256.publicKey }),
          encryption: () => createCipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).final(),
        },
    200,
  );
}
