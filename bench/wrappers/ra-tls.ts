import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { RaTlsResponse } from '#contracts';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { identityIn } from '../../test/ra-tls/dialect-identities.js';
import { pemOf } from '../../test/ra-tls/mutual-tls.js';
import type { Load } from './main.js';
import { eachOnce, medianOf, type Request, runThrough } from './request-load.js';
import type { WrapperReport } from './report.js';

const SECRET = 'A_SIMPLE_SECRET';
const manifest = `siegel: v1
workloads:
  app:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
    binding: { convention: dice-claims }
    secrets: [{ vault: ${VAULT}, objectName: text, objectType: secret, objectAlias: TEXT, as: env }]
`;

/** Releases over the native endpoint to clients with DICE certificates: a new P-256 key, quote and connection for each. */
export async function measureRaTls(load: Load, say: (text: string) => void): Promise<WrapperReport> {
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const floor = forcedCryptography();
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
    tenant: 'default',
    logLevel: 'warn',
    environment: { SIEGEL_RA_TLS: 'true' },
    progress: say,
  });
  try {
    const { layout, publicUrl, ports, tenant } = deployment.settings;
    const ca = readFileSync(layout.caCertificate, 'utf8');
    const service = new HttpsJson(publicUrl, ca);
    const read = (file: string): string => readFileSync(file, 'utf8').trim();
    const audit = { url: `http://127.0.0.1:${ports.audit}`, token: read(layout.auditToken) };
    const admin = new AdminClient(service, read(layout.adminToken), audit);
    await admin.putSecret(tenant, VAULT, 'text', SECRET);
    await admin.setManifest(tenant, manifest, 0);
    service.close();
    const warmUp = Math.min(100, load.count);
    const requests = Array.from({ length: load.count + warmUp }, () => requestOf(deployment, publicUrl, ca));
    return {
      ...(await runThrough(deployment, eachOnce(requests), { ...load, warmUp }, say)),
      operation: 'releases',
      ...floor,
    };
  } finally {
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

function requestOf({ world }: LocalDeployment, url: string, ca: string): Request {
  const quoting = (reportData: Buffer): Buffer => world.platform.quote({ ...PAYMENTS, reportData });
  const own = pemOf(identityIn('dice', quoting));
  return () =>
    new Promise((resolveAnswer, reject) => {
      const outgoing = httpsRequest(
        `${url}/v1/attest/ra-tls`,
        { method: 'POST', agent: false, ca, ...own },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode !== 200) return resolveAnswer(false);
            const { payload } = JSON.parse(Buffer.concat(parts).toString()) as RaTlsResponse;
            resolveAnswer(payload.env['TEXT'] === SECRET);
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
}

/** What the protocol itself makes the service compute for each client; the pipeline's own signatures are not counted. */
function forcedCryptography(): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(5_000);
  const signature = sign('sha256', bytes, p256.privateKey);
  const check = () => verify('sha256', bytes, p256.publicKey, signature);
  return medianOf({
    certificateVerify: check,
    selfSignature: check,
    serverSignature: () => sign('sha256', bytes, p256.privateKey),
    keyExchange: () => generateKeyPairSync('x25519'),
    quote: check,
  });
}
