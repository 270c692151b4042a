import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { toPem } from '#pki';
import { AdminClient } from '../../apps/cli/src/demo/admin-client.js';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment, VAULT } from '../../apps/cli/src/up/deployment.js';
import { asEnvironmentString, REQUEST, RESPONSE } from '../../test/gramine/reference-client.js';
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
import type { Load } from './main.js';
import type { WrapperReport } from './report.js';
import { eachOnce, medianOf, type Request, runThrough } from './request-load.js';

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
  const requests = Array.from({ length: count + warmUp }, () =>
    requestOf(newIdentity(deployment), ports.gramine!, ca),
  );
  const drive = { count, concurrency, warmUp };
  return { ...(await runThrough(deployment, eachOnce(requests), drive, say)), operation: 'handshakes' };
}

/** Everything up to the connection is prepared, as in a client that has made its key, certificate and quotes. */
function requestOf({ certificate, keys }: RaTlsIdentity, port: number, ca: string): Request {
  const secureContext = createSecureContext({
    ca,
    cert: toPem('CERTIFICATE', certificate),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
  return async () => asEnvironmentString(await askedSecret(secureContext, port)) === SECRET;
}

/** As `provision` of the reference client, without its look at the chain: the server is checked against the CA and by its name. */
function askedSecret(secureContext: SecureContext, port: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', secureContext });
    const parts: Buffer[] = [];
    socket.once('secureConnect', () => socket.write(REQUEST));
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.once('error', reject);
    socket.once('close', () => {
      const received = Buffer.concat(parts);
      const head = RESPONSE.length + 4;
      const whole = received.length >= head && received.subarray(0, RESPONSE.length).equals(RESPONSE);
      if (!whole || received.length !== head + received.readUInt32BE(RESPONSE.length))
        reject(new Error(`${received.length} bytes instead of an answer`));
      else resolve(received.subarray(head));
    });
  });
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
function forcedCryptography(): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
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
  return medianOf(steps);
}
