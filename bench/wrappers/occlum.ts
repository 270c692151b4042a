import {
  constants,
  generateKeyPair,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { settlePorts } from '../../apps/cli/src/up/ports.js';
import { AttestationDevice } from '../../test/gramine/attestation-device.js';
import { AecsClient } from '../../test/occlum/aecs-client.js';
import { getSecret } from '../../test/occlum/ratls-client.js';
import { callInClear } from '../../test/occlum/unary-http2.js';
import { certificateWith, OIDS, reportDataOf, spkiOf } from '../../test/ra-tls/certificate-builder.js';
import { platformOf } from '../../test/occlum/simulated-platform.js';
import type { Load, Measurement } from './main.js';
import { eachOnce, medianOf, type Request, runThrough } from './request-load.js';
import type { WrapperReport } from './report.js';

const SECRET = 'a5-6d-00-11-22-33-44-55-66-77-88-99-00-aa-bb-ff\n';
const manifest = `siegel: v1
workloads:
  app:
    identity: { mrenclave: [${PAYMENTS.mrenclave}] }
    secrets: [{ vault: ${VAULT}, objectName: image, objectType: secret, objectAlias: image, as: file, path: /image }]
    occlum: { protocols: [aecs, grpc_ratls], answers: [{ name: image_key, secret: image }] }
`;
/** Enclaves, each with one key for its process, that ask by AECS. */
const PROCESSES = 16;

type Protocol = 'aecs' | 'ratls';

/** Secrets fetched by Occlum's init clients: a connection and a quote for each; by grpc_ratls a new RSA-2048 key as well. */
export const measureOcclum =
  (protocol: Protocol): Measurement =>
  async (load: Load, say: (text: string) => void): Promise<WrapperReport> => {
    const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
    const floor = forcedCryptography(protocol);
    const ports = await settlePorts({ nats: 0, release: 0, verifier: 0, audit: 0 });
    let deployment: LocalDeployment | undefined;
    const device = new AttestationDevice((reportData) =>
      platformOf(state).quote({ ...PAYMENTS, reportData }),
    );
    try {
      deployment = await LocalDeployment.start({
        stateDir: state,
        toolsDir: resolve('.siegel/tools'),
        ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
        tenant: 'default',
        logLevel: 'warn',
        environment: {
          SIEGEL_OCCLUM_AECS_PORT: String(ports.release),
          SIEGEL_OCCLUM_RATLS_PORT: String(ports.audit),
          SIEGEL_OCCLUM_RATLS_QUOTES: 'simulated',
          SIEGEL_OCCLUM_RATLS_DEVICE: device.folder,
        },
        progress: say,
      });
      await provide(deployment);
      say(`making ${load.count} requests with their keys and quotes ...`);
      const make = { aecs: aecsRequests, ratls: ratlsRequests }[protocol];
      const port = { aecs: ports.release, ratls: ports.audit }[protocol];
      const warmUp = Math.min(100, load.count);
      const requests = await make(deployment, port, load.count + warmUp);
      return {
        ...(await runThrough(deployment, eachOnce(requests), { ...load, warmUp }, say)),
        operation: 'secrets',
        ...floor,
      };
    } finally {
      await deployment?.stop();
      await device.close();
      rmSync(state, { recursive: true, force: true });
    }
  };

async function provide(deployment: LocalDeployment): Promise<void> {
  const { layout, publicUrl, ports, tenant } = deployment.settings;
  const service = new HttpsJson(publicUrl, readFileSync(layout.caCertificate, 'utf8'));
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const audit = { url: `http://127.0.0.1:${ports.audit}`, token: read(layout.auditToken) };
  const admin = new AdminClient(service, read(layout.adminToken), audit);
  await admin.putSecret(tenant, VAULT, 'image', SECRET);
  await admin.setManifest(tenant, manifest, 0);
  service.close();
}

/** Each process of an enclave has one key, and a quote for each request. */
function aecsRequests({ world }: LocalDeployment, port: number, count: number): Promise<Request[]> {
  const transport = (path: string, request: Buffer): Promise<Buffer> => callInClear(port, path, request);
  const clients = Array.from(
    { length: PROCESSES },
    () => new AecsClient(transport, (reportData) => world.platform.quote({ ...PAYMENTS, reportData })),
  );
  const ask = (client: AecsClient): Request => {
    return async () => (await client.getSecret('service1', 'image_key', '', 256)).toString() === SECRET;
  };
  return Promise.resolve(Array.from({ length: count }, (_, at) => ask(clients[at % PROCESSES]!)));
}

async function ratlsRequests({ world }: LocalDeployment, port: number, count: number): Promise<Request[]> {
  const generate = promisify(generateKeyPair);
  // The client's own verification of the server is not what is measured.
  const policy = { mrEnclave: PAYMENTS.mrenclave, verifyQuote: () => undefined };
  const prepare = async (): Promise<Request> => {
    const keys = await generate('rsa', { modulusLength: 2048 });
    const value = world.platform.quote({ ...PAYMENTS, reportData: reportDataOf(spkiOf(keys)) });
    const extensions = [{ oid: OIDS.occlum, value }];
    const certificate = certificateWith({ keys, extensions, version: 1, hash: 'sha1' });
    const ask = () => getSecret({ keys, certificate }, 'image_key', { port, policy });
    return async () => (await ask()).toString() === SECRET;
  };
  return Promise.all(Array.from({ length: count }, prepare));
}

/** What the protocol itself makes the service compute for each secret; the pipeline's own signatures are not counted. */
function forcedCryptography(protocol: Protocol): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(5_000);
  const byClient = sign('sha256', bytes, rsa.privateKey);
  const byQuote = sign('sha256', bytes, p256.privateKey);
  const quote = () => verify('sha256', bytes, p256.publicKey, byQuote);
  const oaep = { key: rsa.publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  const steps = {
    aecs: {
      envelopeKey: () => publicEncrypt(oaep, bytes.subarray(0, 32)),
      envelopeSignature: () => sign('sha256', bytes, rsa.privateKey),
      quote,
    },
    ratls: {
      certificateVerify: () => verify('sha256', bytes, rsa.publicKey, byClient),
      selfSignature: () => verify('sha256', bytes, rsa.publicKey, byClient),
      serverSignature: () => sign('sha256', bytes, rsa.privateKey),
      keyExchange: () => generateKeyPairSync('x25519'),
      quote,
    },
  }[protocol];
  return medianOf(steps);
}
