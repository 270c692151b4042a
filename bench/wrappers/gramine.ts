import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { asEnvironmentString, provision } from '../../test/gramine/reference-client.js';
import type { RaTlsIdentity } from '../../test/gramine/ra-tls-identity.js';
import {
  certificateWith,
  claimsMap,
  ecKeys,
  OIDS,
  pubkeyHash,
  reportDataOf,
  spkiOf,
  taggedEvidence,
} from '../../test/ra-tls/certificate-builder.js';
import { cpuSeconds } from '../measure/process-usage.js';
import { median, percentile, round } from '../measure/statistics.js';
import type { Load } from './main.js';
import type { WrapperReport } from './report.js';

const SECRET = 'A_SIMPLE_SECRET';
const manifest = `siegel: v1
workloads:
  app:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
    gramine: { delivery: env-string }
    secrets: [{ vault: ${VAULT}, objectName: text, objectType: secret, objectAlias: TEXT, as: env }]
`;

/** Secret-provisioning handshakes of Gramine 1.9 clients: a new P-384 key, certificate and two quotes for each, no resumption. */
export async function measureGramine(load: Load, say: (text: string) => void): Promise<WrapperReport> {
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const floor = forcedCryptography();
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0, gramine: 0 },
    tenant: 'default',
    logLevel: 'warn',
    progress: say,
  });
  try {
    return { ...(await drive(deployment, load, say)), ...floor };
  } finally {
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function drive(deployment: LocalDeployment, { count, concurrency }: Load, say: (text: string) => void) {
  const { layout, publicUrl, ports, tenant } = deployment.settings;
  const service = new HttpsJson(publicUrl, readFileSync(layout.caCertificate, 'utf8'));
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const audit = { url: `http://127.0.0.1:${ports.audit}`, token: read(layout.auditToken) };
  const admin = new AdminClient(service, read(layout.adminToken), audit);
  await admin.putSecret(tenant, VAULT, 'text', SECRET);
  await admin.setManifest(tenant, manifest, 0);
  const { pem: ca } = (await service.call('GET', '/v1/gramine/ca')).body as { pem: string };
  service.close();

  const warmUp = Math.min(200, count);
  say(`making ${count + warmUp} keys with certificates and quotes ...`);
  const identities = Array.from({ length: count + warmUp }, () => newIdentity(deployment));
  const latencies: number[] = [];
  let failed = 0;
  const worker = async (): Promise<void> => {
    for (let identity = identities.pop(); identity; identity = identities.pop()) {
      const started = performance.now();
      try {
        const { secret } = await provision(identity, { port: ports.gramine!, ca });
        if (asEnvironmentString(secret) !== SECRET) failed++;
      } catch (error) {
        if (failed++ === 0) say(`first failure: ${(error as Error).message}`);
      }
      latencies.push(performance.now() - started);
      if (latencies.length >= limit) return;
    }
  };
  const all = (): Promise<unknown> => Promise.all(Array.from({ length: concurrency }, worker));
  say('warming up ...');
  let limit = warmUp;
  await all();
  limit = Infinity;
  latencies.length = 0;
  const left = identities.length;
  const pids = { ...deployment.pids, client: process.pid } as Record<string, number>;
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  const started = performance.now();
  await all();
  const seconds = (performance.now() - started) / 1_000;
  return {
    operation: 'handshakes',
    count: left,
    failed,
    concurrency,
    perSecond: round(left / seconds, 1),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    cpuMs: Object.fromEntries(
      Object.entries(pids).map(([name, pid]) => [
        name,
        round(((cpuSeconds(pid) - before[name]!) * 1_000) / left, 3),
      ]),
    ),
  };
}

function newIdentity({ world }: LocalDeployment): RaTlsIdentity {
  const keys = ecKeys('P-384');
  const spki = spkiOf(keys);
  const claims = claimsMap(['pubkey-hash', pubkeyHash(spki)]);
  const quote = (hashed: Uint8Array): Buffer =>
    world.platform.quote({ ...PAYMENTS, reportData: reportDataOf(hashed) });
  const certificate = certificateWith({
    keys,
    extensions: [
      { oid: OIDS.gramine, value: quote(spki) },
      { oid: OIDS.dice, value: taggedEvidence(quote(claims), claims) },
    ],
  });
  return { keys, certificate };
}

/** What the protocol itself makes the service compute for each client; the pipeline's own signatures are not counted. */
function forcedCryptography(rounds = 100): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(10_000);
  const byClient = sign('sha384', bytes, p384.privateKey);
  const byQuote = sign('sha256', bytes, p256.privateKey);
  const steps = {
    certificateVerify: () => verify('sha384', bytes, p384.publicKey, byClient),
    selfSignature: () => verify('sha384', bytes, p384.publicKey, byClient),
    serverSignature: () => sign('sha256', bytes, p256.privateKey),
    keyExchange: () => generateKeyPairSync('x25519'),
    quote: () => verify('sha256', bytes, p256.publicKey, byQuote),
  };
  const parts = Object.fromEntries(
    Object.entries(steps).map(([name, step]) => {
      for (let warm = 0; warm < 10; warm++) step();
      const samples = Array.from({ length: rounds }, () => {
        const started = process.hrtime.bigint();
        step();
        return Number(process.hrtime.bigint() - started) / 1e6;
      });
      return [name, round(median(samples), 4)];
    }),
  );
  return {
    cryptoFloorMs: round(
      Object.values(parts).reduce((sum, part) => sum + part, 0),
      3,
    ),
    cryptoFloorParts: parts,
  };
}
