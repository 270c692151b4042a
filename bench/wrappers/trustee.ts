import { createCipheriv, diffieHellman, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { quoting } from '../../test/trustee/attesters.js';
import { KbsClient } from '../../test/trustee/kbs-client.js';
import { type KbsAnswer, KbsTransport } from '../../test/trustee/kbs-connection.js';
import { TeeKeyPair } from '../../test/trustee/tee-key-pair.js';
import { cpuSeconds } from '../measure/process-usage.js';
import { median, percentile, round } from '../measure/statistics.js';
import type { Load } from './main.js';
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

/** Sessions that read; each answer in so many is opened, as the generator shares its processors with the service. */
const READERS = 16;
const OPENED = 16;

/**
 * Handshakes of clients in protocol 0.4.0: auth and attest, with a new session, a new quote over its nonce, and the client's key; plain HTTP
 * and kept connections, as Trustee's own figures were taken.
 */
export const measureTrusteeAttest = (load: Load, say: (text: string) => void): Promise<WrapperReport> =>
  withDeployment(load, say, 'auth+attest', (transport, deployment) => {
    const key = TeeKeyPair.generate();
    const platform = deployment.world.platform;
    const attester = quoting('sgx', (reportData) => platform.quote({ ...PAYMENTS, reportData }));
    return Promise.resolve(async () => {
      await new KbsClient(transport, attester, { key }).handshake();
    });
  });

/** Reads of one resource by the session's cookie: decided, logged and sealed each. */
export const measureTrusteeRead = (load: Load, say: (text: string) => void): Promise<WrapperReport> =>
  withDeployment(load, say, 'reads by cookie', async (transport, deployment) => {
    const platform = deployment.world.platform;
    const attester = quoting('sgx', (reportData) => platform.quote({ ...PAYMENTS, reportData }));
    const clients = Array.from({ length: READERS }, () => new KbsClient(transport, attester));
    for (const client of clients) await client.handshake();
    let count = 0;
    return async () => {
      const at = count++;
      const client = clients[at % READERS]!;
      const answer: KbsAnswer = await client.connection.call('GET', `/kbs/v0/resource/${PATH}`);
      if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
      if (at % OPENED === 0 && (await client.key.open(answer.text)).toString() !== SECRET)
        throw new Error('another secret');
    };
  });

type Operation = () => Promise<void>;

async function withDeployment(
  load: Load,
  say: (text: string) => void,
  operation: string,
  prepare: (transport: KbsTransport, deployment: LocalDeployment) => Promise<Operation>,
): Promise<WrapperReport> {
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const floor = forcedCryptography(operation === 'auth+attest');
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0, trustee: 0 },
    tenant: 'default',
    logLevel: 'warn',
    environment: { SIEGEL_TRUSTEE_TLS: 'false' },
    progress: say,
  });
  const transport = new KbsTransport(`http://127.0.0.1:${deployment.settings.ports.trustee}`, undefined, 256);
  try {
    await administer(deployment);
    const once = await prepare(transport, deployment);
    return { operation, ...(await drive(deployment, once, load, say)), ...floor };
  } finally {
    transport.close();
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

async function drive(
  deployment: LocalDeployment,
  once: Operation,
  { count, concurrency }: Load,
  say: (text: string) => void,
) {
  const latencies: number[] = [];
  let failed = 0;
  let left = 0;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const started = performance.now();
      try {
        await once();
      } catch (error) {
        if (failed++ === 0) say(`first failure: ${(error as Error).message}`);
      }
      latencies.push(performance.now() - started);
    }
  };
  const run = async (operations: number): Promise<number> => {
    latencies.length = 0;
    left = operations;
    const started = performance.now();
    await Promise.all(Array.from({ length: concurrency }, worker));
    return (performance.now() - started) / 1_000;
  };
  say('warming up ...');
  await run(Math.min(2_000, count));
  say('measuring ...');
  const pids = { ...deployment.pids, client: process.pid } as Record<string, number>;
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  const seconds = await run(count);
  return {
    count,
    failed,
    concurrency,
    perSecond: round(count / seconds, 1),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    cpuMs: Object.fromEntries(
      Object.entries(pids).map(([name, pid]) => [
        name,
        round(((cpuSeconds(pid) - before[name]!) * 1_000) / count, 3),
      ]),
    ),
  };
}

/** What the protocol itself makes the services compute; signatures of the pipeline are not counted. */
function forcedCryptography(
  attests: boolean,
  rounds = 200,
): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(3_000);
  const signature = sign('sha256', bytes, p256.privateKey);
  const sealing = {
    ephemeralKey: () =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
    agreement: () => diffieHellman({ privateKey: p256.privateKey, publicKey: p256.publicKey }),
    encryption: () => createCipheriv('aes-256-gcm', bytes.subarray(0, 32), bytes.subarray(0, 12)).final(),
  };
  const attesting = {
    quote: () => verify('sha256', bytes, p256.publicKey, signature),
    token: () => sign('sha256', bytes, p256.privateKey),
  };
  const parts = Object.fromEntries(
    Object.entries(attests ? attesting : sealing).map(([name, step]: [string, () => unknown]) => {
      for (let warm = 0; warm < 50; warm++) step();
      const samples = Array.from({ length: rounds }, () => {
        const started = process.hrtime.bigint();
        step();
        return Number(process.hrtime.bigint() - started) / 1e6;
      });
      return [name, round(median(samples), 4)];
    }),
  );
  const sum = Object.values(parts).reduce((total, part) => total + part, 0);
  return { cryptoFloorMs: round(sum, 3), cryptoFloorParts: parts };
}
