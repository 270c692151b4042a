import { TokenVerifier } from '#relying-party';
import { generateKeyPairSync, hash, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PAYMENTS } from '../../apps/cli/src/demo/demo-manifest.js';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { LocalDeployment } from '../../apps/cli/src/up/deployment.js';
import type { Load } from './main.js';
import type { WrapperReport } from './report.js';
import { eachOnce, medianOf, runThrough } from './request-load.js';

const WARM_UP = 200;

/** `POST /attest/SgxEnclave`, a new quote over new runtime data for each, over connections that stay open; each token is verified. */
export async function measureMaa(load: Load, say: (text: string) => void): Promise<WrapperReport> {
  const state = mkdtempSync(join(tmpdir(), 'siegel-bench-'));
  const floor = forcedCryptography();
  const deployment = await LocalDeployment.start({
    stateDir: state,
    toolsDir: resolve('.siegel/tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0, maa: 0 },
    tenant: 'default',
    logLevel: 'warn',
    progress: say,
  });
  try {
    const { issuer, ca } = deployment.settings.maa!;
    const service = new HttpsJson(issuer, readFileSync(ca, 'utf8'), load.concurrency);
    try {
      return { operation: 'attests', ...(await drive(deployment, service, issuer, load, say)), ...floor };
    } finally {
      service.close();
    }
  } finally {
    await deployment.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function drive(
  deployment: LocalDeployment,
  service: HttpsJson,
  issuer: string,
  load: Load,
  say: (text: string) => void,
) {
  const jwks = (await service.call('GET', '/certs')).body;
  const verifier = new TokenVerifier([{ kind: 'maa', issuer, jwks }]);
  const warmUp = Math.min(WARM_UP, load.count);
  say(`making ${load.count + warmUp} quotes ...`);
  const requests = Array.from({ length: load.count + warmUp }, () => {
    const runtimeData = Buffer.from(JSON.stringify({ nonce: randomBytes(32).toString('hex') }));
    const reportData = Buffer.concat([hash('sha256', runtimeData, 'buffer'), Buffer.alloc(32)]);
    const body = {
      quote: deployment.world.platform.quote({ ...PAYMENTS, reportData }).toString('base64url'),
      runtimeData: { data: runtimeData.toString('base64url'), dataType: 'JSON' },
    };
    return async (): Promise<boolean> => {
      const answer = await service.post('/attest/SgxEnclave?api-version=2022-08-01', body);
      const { token } = answer.body as { token: string };
      const { facts } = verifier.verify(token, {
        now: new Date(),
        identity: { mrenclave: [PAYMENTS.mrenclave] },
        binding: { runtimeData },
        allowSimulated: true,
      });
      return facts.log !== undefined;
    };
  });
  return runThrough(deployment, eachOnce(requests), { ...load, warmUp }, say);
}

/** A token is an RSA signature, whatever else is done; the quote's own signature is verified for it. */
function forcedCryptography(): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = randomBytes(3_000);
  const byQuote = sign('sha256', bytes, p256.privateKey);
  return medianOf({
    tokenSignature: () => sign('sha256', bytes, rsa.privateKey),
    quote: () => verify('sha256', bytes, p256.publicKey, byQuote),
  });
}
