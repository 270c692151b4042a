import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { LocalDeployment } from '../../apps/cli/src/up/deployment.js';
import { encodeRequest } from '../../test/marblerun/activation-messages.js';
import { CoordinatorClient } from '../../test/marblerun/coordinator-client.js';
import { freePorts } from '../../test/marblerun/free-ports.js';
import { openEnclaveReport, reportDataOver } from '../../test/marblerun/marble-identity.js';
import { pem, type Quoting, SOME_UUID } from '../../test/marblerun/reference-marble.js';
import { cpuSeconds } from '../measure/process-usage.js';
import { median, percentile, round } from '../measure/statistics.js';
import type { Load } from './main.js';
import { type LoadPlan, marblesInNode, type PlannedMarble } from './marblerun-load.js';
import { marblesInGo } from './marbles-in-go.js';
import { quickMarble } from './quick-marble.js';
import type { WrapperReport } from './report.js';

/** How marbles come: a TLS connection for each activation, or many over each. */
export interface MarbleRunCase {
  readonly connections: 'fresh' | 'reused';
  /** A private RSA secret in the manifest, which these marbles do not use; `referenced`: which they use. */
  readonly rsa?: 'unreferenced' | 'referenced';
}

const manifest = ({ rsa }: MarbleRunCase): object => ({
  Packages: { app: { UniqueID: PAYMENTS.mrenclave, Debug: false } },
  Marbles: {
    app: {
      Package: 'app',
      Parameters: {
        Env: { KEY: '{{ hex .Secrets.key }}', SHARED: '{{ hex .Secrets.shared }}' },
        Files: {
          '/disk': '{{ raw .Secrets.key }}',
          ...(rsa === 'referenced' ? { '/rsa.pem': '{{ pem .Secrets.rsa.Private }}' } : {}),
        },
        Argv: ['app'],
      },
    },
  },
  Secrets: {
    key: { Type: 'symmetric-key', Size: 128 },
    shared: { Type: 'symmetric-key', Size: 256, Shared: true },
    ...(rsa ? { rsa: { Type: 'cert-rsa', Size: 2048 } } : {}),
  },
});

/** Activations of marbles with P-384 certificates, each with a quote of its own that is verified, each durably logged. */
export const measureMarbleRun =
  (marbles: MarbleRunCase) =>
  async (load: Load, say: (text: string) => void): Promise<WrapperReport> => {
    const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
    const floor = forcedCryptography(marbles);
    const [meshPort, clientPort] = (await freePorts(2)) as [number, number];
    const file = join(state, 'deployments.json');
    const deployments = { bench: { tenant: 'default', default: true, firstManifest: 'first-caller' } };
    writeFileSync(file, JSON.stringify({ deployments }));
    const deployment = await LocalDeployment.start({
      stateDir: state,
      toolsDir: resolve('.siegel/tools'),
      ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
      tenant: 'default',
      logLevel: 'warn',
      environment: {
        SIEGEL_MARBLERUN_FILE: file,
        SIEGEL_MARBLERUN_MESH_PORT: String(meshPort),
        SIEGEL_MARBLERUN_CLIENT_PORT: String(clientPort),
      },
      progress: say,
    });
    try {
      await new CoordinatorClient(clientPort).setManifest(manifest(marbles));
      return { ...(await drive(deployment, meshPort, marbles, load, say)), ...floor };
    } finally {
      await deployment.stop();
      rmSync(state, { recursive: true, force: true });
    }
  };

async function drive(
  deployment: LocalDeployment,
  port: number,
  { connections, rsa }: MarbleRunCase,
  { count: wanted, concurrency }: Load,
  say: (text: string) => void,
) {
  // Each of these waits for an RSA key of its own.
  const count = rsa === 'referenced' ? Math.min(wanted, 100) : wanted;
  const quoting: Quoting = (reportData) => deployment.world.platform.quote({ ...PAYMENTS, reportData });
  const warmUp = Math.min(500, Math.ceil(count / 2));
  const fresh = connections === 'fresh';
  say(`making ${count + warmUp} quotes${fresh ? ' with keys and certificates' : ''} ...`);
  // Which worker takes how many of the requests is theirs to settle, so that each has more than its share.
  const each = fresh ? 1 : Math.ceil((count + warmUp) / concurrency) * 2;
  const marbles: PlannedMarble[] = [];
  for (let at = 0; at < (fresh ? count + warmUp : concurrency); at++)
    marbles.push(plannedMarble(each, quoting));
  const plan: LoadPlan = { port, fresh, concurrency, marbles };
  const load = marblesInGo(plan) ?? (await marblesInNode(plan));
  try {
    say('warming up ...');
    await load.run(warmUp);
    const pids = { ...deployment.pids, [`client (${load.language})`]: load.pid } as Record<string, number>;
    const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
    const started = performance.now();
    const { latenciesMs, failed, firstError } = await load.run(count);
    const seconds = (performance.now() - started) / 1_000;
    if (firstError !== undefined) say(`first failure: ${firstError}`);
    const done = latenciesMs.length;
    return {
      operation: 'activations',
      count: done,
      failed,
      concurrency,
      perSecond: round(done / seconds, 1),
      p50Ms: round(percentile(latenciesMs, 0.5)),
      p99Ms: round(percentile(latenciesMs, 0.99)),
      cpuMs: Object.fromEntries(
        Object.entries(pids).map(([name, pid]) => [
          name,
          round(((cpuSeconds(pid) - before[name]!) * 1_000) / done, 3),
        ]),
      ),
    };
  } finally {
    load.close();
  }
}

function plannedMarble(requests: number, quoting: Quoting): PlannedMarble {
  const { key, certificate, csr } = quickMarble();
  return {
    key,
    cert: pem(certificate),
    requests: Array.from({ length: requests }, () => {
      const quote = openEnclaveReport(quoting(reportDataOver(certificate)));
      return encodeRequest({ quote, csr, marbleType: 'app', uuid: SOME_UUID });
    }),
  };
}

/** What the protocol itself makes the service compute for each marble; the pipeline's own signatures are not counted. */
function forcedCryptography(
  { connections }: MarbleRunCase,
  rounds = 100,
): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(1_000);
  const byClient = sign('sha384', bytes, p384.privateKey);
  const byQuote = sign('sha256', bytes, p256.privateKey);
  const handshake = {
    certificateVerify: () => verify('sha384', bytes, p384.publicKey, byClient),
    serverSignature: () => sign('sha256', bytes, p256.privateKey),
    keyExchange: () => generateKeyPairSync('x25519'),
  };
  const steps: Record<string, () => unknown> = {
    ...(connections === 'fresh' ? handshake : {}),
    quote: () => verify('sha256', bytes, p256.publicKey, byQuote),
    marbleKey: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    marbleCertificate: () => sign('sha256', bytes, p256.privateKey),
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
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { cryptoFloorMs: round(total, 3), cryptoFloorParts: parts };
}
