import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { SimulatedEnclave } from '../../apps/cli/src/demo/simulated-enclave.js';
import { LocalDeployment } from '../../apps/cli/src/up/deployment.js';
import { httpRequest, RawConnection } from '../attest/connection.js';
import { round } from '../measure/statistics.js';
import type { TurnReport } from './turn-probe.js';

const USAGE = `usage: npm run bench -- verifier-loop [--json] [--seconds N] [--concurrency N] [--workers N]
  How long the event loop of quote-verifier works without a pause, while enclaves attest as fast as they can and new
  collateral comes every second; --workers 0 verifies on the loop itself, for comparison.`;
const MANIFEST = `siegel: v1
workloads:
  payments:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
`;
const REPORT_TIMEOUT_MS = 10_000;

export async function run(argv: string[]): Promise<number> {
  let flags;
  try {
    ({ values: flags } = parseArgs({
      args: argv,
      options: {
        json: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '10' },
        concurrency: { type: 'string', default: '64' },
        workers: { type: 'string' },
      },
    }));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const seconds = Number(flags.seconds);
  const concurrency = Number(flags.concurrency);
  if (!(seconds > 0 && seconds <= 600 && concurrency > 0 && concurrency <= 1_000)) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const report = join(state, 'turns.json');
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
    tenant: 'default',
    logLevel: 'warn',
    progress: (text) => void process.stderr.write(`${text}\n`),
    environment: {
      NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'turn-probe.js')).href}`,
      SIEGEL_TURN_REPORT: report,
      SIEGEL_TURN_SERVICE: 'quote-verifier',
      ...(flags.workers === undefined ? {} : { SIEGEL_VERIFIER_WORKERS: flags.workers }),
    },
  });
  try {
    const attests = await load(deployment, seconds, concurrency);
    const turns = await collected(report);
    const result = {
      seconds,
      attests,
      ...Object.fromEntries(Object.entries(turns).map(([name, value]) => [name, round(value as number)])),
    };
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${described(turns, attests)}\n`);
    return 0;
  } finally {
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

/** Enclaves attest, collateral is replaced every second; the probe counts from the end of the warm-up. */
async function load(deployment: LocalDeployment, seconds: number, concurrency: number): Promise<number> {
  const { layout, publicUrl, ports, tenant } = deployment.settings;
  const ca = readFileSync(layout.caCertificate, 'utf8');
  const service = new HttpsJson(publicUrl, ca);
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  await new AdminClient(service, read(layout.adminToken), {
    url: `http://127.0.0.1:${ports.audit}`,
    token: read(layout.auditToken),
  }).setManifest(tenant, MANIFEST, 0);
  service.close();
  const host = new URL(publicUrl).host;
  const requests = Array.from({ length: 500 }, () =>
    httpRequest('/v1/attest', host, new SimulatedEnclave(deployment.world.platform, PAYMENTS).requestBody()),
  );
  const connections = await Promise.all(
    Array.from({ length: concurrency }, () => RawConnection.open(ports.release, ca)),
  );
  const drive = async (milliseconds: number): Promise<number> => {
    const until = performance.now() + milliseconds;
    let done = 0;
    await Promise.all(
      connections.map(async (connection) => {
        while (performance.now() < until) {
          const { status } = await connection.send(requests[done++ % requests.length]!);
          if (status !== 200) throw new Error(`an attest was answered ${status}`);
        }
      }),
    );
    return done;
  };
  await drive(3_000);
  const verifier = deployment.pids['quote-verifier']!;
  process.kill(verifier, 'SIGUSR2');
  const { sgx, platform } = deployment.world;
  const renew = setInterval(
    () => writeFileSync(join(layout.bundles, 'renewed.json'), JSON.stringify(sgx.collateral({ platform }))),
    1_000,
  );
  const attests = await drive(seconds * 1_000);
  clearInterval(renew);
  process.kill(verifier, 'SIGUSR2');
  for (const connection of connections) connection.close();
  return attests;
}

async function collected(file: string): Promise<TurnReport> {
  const until = performance.now() + REPORT_TIMEOUT_MS;
  while (!existsSync(file)) {
    if (performance.now() > until) throw new Error('the probe in quote-verifier did not report');
    await new Promise((done) => setTimeout(done, 50));
  }
  return JSON.parse(readFileSync(file, 'utf8')) as TurnReport;
}

const described = (turns: TurnReport, attests: number): string =>
  [
    `quote-verifier's event loop over ${turns.intervals} intervals, ${attests} attests:`,
    `worked without a pause at most ${round(turns.maxMs)} ms (p50 ${round(turns.p50Ms)}, p99 ${round(turns.p99Ms)}, p99.9 ${round(turns.p999Ms)})`,
    `${turns.overFiveMs} times over 5 ms; busy ${round(100 * turns.utilization, 0)} % of the time`,
  ].join('\n');
