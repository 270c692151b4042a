import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { SimulatedEnclave } from '../../apps/cli/src/demo/simulated-enclave.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { cpuSeconds, residentMiB } from '../measure/process-usage.js';
import { latencyBetween, scrapeHistogram } from '../measure/service-latency.js';
import { percentile, round } from '../measure/statistics.js';
import { httpRequest, RawConnection } from './connection.js';
import { cryptoFloorMs } from './crypto-floor.js';

const USAGE = `usage: npm run bench -- attest [--json] [--count N] [--concurrency N] [--enclaves N] [--keep-evidence]
  A whole deployment on this machine; distinct simulated enclaves attest over keep-alive HTTPS connections,
  each is released three secrets and a certificate, and every event is durably logged before its answer.`;

const SECRETS = ['db-password', 'api-key', 'edge-config'];
const manifest = `siegel: v1
workloads:
  payments:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
    certificate: { dns: [payments.shop.svc], ttl: 24h }
    secrets:
      - { vault: ${VAULT}, objectName: db-password, objectType: secret, objectAlias: DB_PASSWORD, as: env }
      - { vault: ${VAULT}, objectName: api-key, objectType: secret, objectAlias: API_KEY, as: env }
      - { vault: ${VAULT}, objectName: edge-config, objectType: secret, as: file, path: /run/secrets/edge.json }
`;

export async function run(argv: string[]): Promise<number> {
  let flags;
  try {
    ({ values: flags } = parseArgs({
      args: argv,
      options: {
        json: { type: 'boolean', default: false },
        count: { type: 'string', default: '20000' },
        concurrency: { type: 'string', default: '64' },
        enclaves: { type: 'string', default: '2000' },
        'keep-evidence': { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const [count, concurrency, enclaveCount] = [flags.count, flags.concurrency, flags.enclaves].map(Number) as [
    number,
    number,
    number,
  ];
  if (
    ![count, concurrency, enclaveCount].every(
      (value) => Number.isInteger(value) && value > 0 && value <= 10_000_000,
    )
  ) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const floor = cryptoFloorMs();
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
    tenant: 'default',
    logLevel: 'warn',
    ...(flags['keep-evidence']
      ? { environment: { SIEGEL_AUDIT_EVIDENCE: 'granted', SIEGEL_RETAIN_EVIDENCE: 'verified' } }
      : {}),
    progress: say,
  });
  try {
    const result = await measure(deployment, { count, concurrency, enclaveCount }, say);
    const report = {
      ...result,
      cryptoFloorMs: round(floor.total, 3),
      cryptoFloorParts: rounded(floor.parts),
    };
    if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else show(report);
    return result.failed === 0 ? 0 : 1;
  } finally {
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

interface Load {
  readonly count: number;
  readonly concurrency: number;
  readonly enclaveCount: number;
}

async function measure(deployment: LocalDeployment, load: Load, say: (text: string) => void) {
  const { layout, publicUrl, ports, tenant } = deployment.settings;
  const ca = readFileSync(layout.caCertificate, 'utf8');
  await prepare(deployment, new HttpsJson(publicUrl, ca));
  say(`making ${load.enclaveCount} enclaves with their quotes ...`);
  const host = new URL(publicUrl).host;
  const enclaves = Array.from({ length: load.enclaveCount }, () => {
    const enclave = new SimulatedEnclave(deployment.world.platform, PAYMENTS);
    return { enclave, request: httpRequest('/v1/attest', host, enclave.requestBody()) };
  });
  const connections = await Promise.all(
    Array.from({ length: load.concurrency }, () => RawConnection.open(ports.release, ca)),
  );
  const drive = async (total: number, latencies: number[]): Promise<number> => {
    let next = 0;
    let failed = 0;
    await Promise.all(
      connections.map(async (connection) => {
        for (let at = next++; at < total; at = next++) {
          const { enclave, request } = enclaves[at % enclaves.length]!;
          const started = performance.now();
          const { status, body } = await connection.send(request);
          latencies.push(performance.now() - started);
          // One in twenty is opened as its enclave would: the others' cost is on machines that are not here.
          if (status !== 200 || (at % 20 === 0 && opened(enclave, body) !== SECRETS.length)) failed++;
          if (at > 0 && at % 10_000 === 0) say(`${at} of ${total} ...`);
        }
      }),
    );
    return failed;
  };
  say('warming up ...');
  await drive(Math.min(3_000, load.count), []);
  const own = () =>
    Promise.all([
      scrapeHistogram(`http://127.0.0.1:${ports.verifier}`, 'siegel_verdict_seconds'),
      scrapeHistogram(`http://127.0.0.1:${ports.audit}`, 'siegel_audit_commit_seconds'),
    ]);
  const [verdicts, commits] = await own();
  const pids = { ...deployment.pids, client: process.pid } as Record<string, number>;
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  const latencies: number[] = [];
  const started = performance.now();
  const failed = await drive(load.count, latencies);
  const seconds = (performance.now() - started) / 1_000;
  const cpu = Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [
      name,
      round(((cpuSeconds(pid) - before[name]!) * 1_000) / load.count, 3),
    ]),
  );
  const [verdictsAfter, commitsAfter] = await own();
  const whole = { p50Ms: round(percentile(latencies, 0.5)), p99Ms: round(percentile(latencies, 0.99)) };
  const memory = Object.fromEntries(
    Object.entries(deployment.pids).map(([name, pid]) => [name, residentMiB(pid!)]),
  );
  for (const connection of connections) connection.close();
  return {
    attests: load.count,
    failed,
    concurrency: load.concurrency,
    tenant,
    perSecond: Math.round(load.count / seconds),
    ...whole,
    // The client waits for key-release, which waits for the other two.
    latencyMs: {
      'key-release, whole request': whole,
      'quote-verifier, verdict': latencyBetween(verdicts, verdictsAfter),
      'audit, group commit': latencyBetween(commits, commitsAfter),
    },
    cpuMsPerAttest: cpu,
    residentMiB: memory,
  };
}

function opened(enclave: SimulatedEnclave, body: string): number {
  const { payload } = enclave.open({ status: 200, headers: {}, body: JSON.parse(body), text: body });
  return payload.certificate ? Object.keys(payload.env).length + payload.files.length : 0;
}

async function prepare(deployment: LocalDeployment, service: HttpsJson): Promise<void> {
  const { layout, tenant, ports } = deployment.settings;
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const admin = new AdminClient(service, read(layout.adminToken), {
    url: `http://127.0.0.1:${ports.audit}`,
    token: read(layout.auditToken),
  });
  for (const name of SECRETS) await admin.putSecret(tenant, VAULT, name, `${name}: ${'x'.repeat(32)}`);
  await admin.setManifest(tenant, manifest, 0);
  service.close();
}

const rounded = (parts: Record<string, number>) =>
  Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, round(ms, 4)]));

function show(report: Awaited<ReturnType<typeof measure>> & { cryptoFloorMs: number }): void {
  const lines = [
    `${report.perSecond} attests/s at ${report.concurrency} in flight (${report.attests} attests, ${report.failed} failed)`,
    `p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms`,
    ...Object.entries(report.latencyMs).map(
      ([service, { p50Ms, p99Ms }]) => `  ${service.padEnd(27)} p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
    ),
    'CPU per attest (ms):',
    ...Object.entries(report.cpuMsPerAttest).map(([name, ms]) => `  ${name.padEnd(16)} ${ms}`),
    `  ${'bare cryptography'.padEnd(16)} ${report.cryptoFloorMs}`,
    'resident memory (MiB, highest):',
    ...Object.entries(report.residentMiB).map(
      ([name, { now, peak }]) => `  ${name.padEnd(16)} ${now} (${peak})`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
