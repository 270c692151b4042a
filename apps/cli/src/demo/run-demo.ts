import type { AuditEvent } from '#contracts';
import { createPublicKey, X509Certificate, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { VAULT, type LocalDeployment } from '../up/deployment.js';
import { AdminClient } from './admin-client.js';
import { DEMO_SECRETS, demoManifest, PAYMENTS, STRANGER } from './demo-manifest.js';
import { HttpsJson } from './https-json.js';
import { checkPromise } from './promise-check.js';
import { Refused, SimulatedEnclave, type Boot } from './simulated-enclave.js';
import { eventLine, type Check, type DemoSummary } from './summary.js';

export interface DemoVoice {
  /** One line of the story. */
  say(text: string): void;
}

/** The main job, visibly: prepare vault and manifest, boot two enclaves, look at what the log says of them. */
export async function runDemo(deployment: LocalDeployment, voice: DemoVoice): Promise<DemoSummary> {
  const { layout, publicUrl, tenant, ports } = deployment.settings;
  const service = new HttpsJson(publicUrl, readFileSync(layout.caCertificate, 'utf8'));
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  const admin = new AdminClient(service, read(layout.adminToken), {
    url: `http://127.0.0.1:${ports.audit}`,
    token: read(layout.auditToken),
  });
  const checks: Check[] = [];
  const check = (name: string, ok: boolean, detail?: string): void => {
    checks.push({ name, ok, ...(detail === undefined ? {} : { detail }) });
  };
  try {
    await prepare(admin, tenant, voice);

    voice.say('An enclave boots. It makes a key, lets its platform quote it, and sends both: one request.');
    const enclave = new SimulatedEnclave(deployment.world.platform, PAYMENTS);
    const boot = await enclave.attest(service);
    await tellRelease(boot, enclave, service, publicUrl, voice, check);
    const tcbStatus = await checkToken(boot, service, publicUrl, check);
    checkPromise(boot.response.promise, layout, `${deployment.settings.logOrigin}/${tenant}`, check);

    const again = await enclave.fetchAgain(service, `${publicUrl}/v1/release`, boot.response.token);
    check(
      'the release can be fetched again with proof of possession and no second quote',
      sameSecrets(boot, again),
    );

    voice.say('A second enclave boots, with a measurement that nobody approved.');
    const code = await refusal(new SimulatedEnclave(deployment.world.platform, STRANGER), service);
    check('the enclave with the wrong measurement is denied', code === 'RELEASE_DENIED', code);
    voice.say(`  It receives nothing but the code ${code}.`);

    const events = await logged(admin, tenant, boot, check);
    tellEvents(events, voice);
    return summary(boot, tcbStatus, code, events, checks);
  } catch (error) {
    check('the main job ran to its end', false, (error as Error).message);
    return { ok: false, events: [], checks };
  } finally {
    service.close();
  }
}

/** What is there from a former run stays: a state folder keeps its secrets and its manifest history. */
async function prepare(admin: AdminClient, tenant: string, voice: DemoVoice): Promise<void> {
  const present = new Set(await admin.secretNames(tenant, VAULT));
  for (const { name, value } of DEMO_SECRETS) {
    if (!present.has(name)) await admin.putSecret(tenant, VAULT, name, value());
  }
  const text = demoManifest(VAULT);
  const inForce = await admin.manifest(tenant);
  if (inForce?.text !== text) await admin.setManifest(tenant, text, inForce?.version ?? 0);
  voice.say('The vault holds two secrets, and a manifest says which measurement may have them.');
}

async function tellRelease(
  { payload, response }: Boot,
  enclave: SimulatedEnclave,
  service: HttpsJson,
  url: string,
  voice: DemoVoice,
  check: (name: string, ok: boolean, detail?: string) => void,
): Promise<void> {
  const password = payload.env['DB_PASSWORD'] ?? '';
  voice.say(`  It is recognised as "${response.workload}" and receives, sealed to its key:`);
  voice.say(`    the environment secret DB_PASSWORD (${password.length} characters)`);
  check('an environment secret was released', password.length > 0);
  const file = payload.files[0];
  voice.say(`    the file ${file?.path} (mode ${file?.mode})`);
  check('a file secret was released', file !== undefined && Buffer.from(file.content, 'base64').length > 0);
  const certificate = payload.certificate;
  const leaf = certificate && new X509Certificate(certificate.chainPem);
  const chain =
    certificate?.chainPem
      .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
      ?.map((pem) => new X509Certificate(pem)) ?? [];
  const root = certificate && new X509Certificate(certificate.rootPem);
  const served = await service.call('GET', '/v1/ca.pem');
  const chained =
    chain.length >= 2 &&
    root !== undefined &&
    chain.every((one, at) => one.verify((chain[at + 1] ?? root).publicKey));
  check(
    'a TLS certificate was issued that chains to the mesh CA',
    chained && served.text.trim() === certificate?.rootPem.trim(),
    url,
  );
  check(
    'the certificate is for the key that the enclave attested',
    leaf?.publicKey.equals(enclave.key.keyObject) === true,
  );
  voice.say(
    `    a TLS certificate for ${certificate?.dns.join(', ')} (${certificate?.spiffeId}), valid until ${certificate?.notAfter}`,
  );
}

/** As any relying party would: keys from discovery, issuer, audience, expiry, binding. */
async function checkToken(
  { response }: Boot,
  service: HttpsJson,
  issuer: string,
  check: (name: string, ok: boolean, detail?: string) => void,
): Promise<string> {
  const discovery = (await service.call('GET', '/.well-known/openid-configuration')).body as {
    jwks_uri: string;
  };
  const jwks = (await service.call('GET', new URL(discovery.jwks_uri).pathname)).body as JSONWebKeySet;
  const { payload } = await jwtVerify(response.token, createLocalJWKSet(jwks), {
    issuer,
    audience: 'siegel',
    algorithms: ['ES256'],
  });
  const siegel = payload['siegel'] as { simulated: boolean; claims: { tcbStatus: string } };
  const cnf = payload['cnf'] as { jwk: JsonWebKey };
  check('the attestation token verifies with the published keys', payload.exp! - payload.iat! <= 900);
  check(
    'the token names the bound key',
    createPublicKey({ key: cnf.jwk, format: 'jwk' }).asymmetricKeyType === 'ec',
  );
  check('the token says that the evidence is simulated', siegel.simulated && response.simulated);
  return siegel.claims.tcbStatus;
}

const sameSecrets = (one: Boot, other: Boot): boolean =>
  JSON.stringify([one.payload.env, one.payload.files]) ===
  JSON.stringify([other.payload.env, other.payload.files]);

async function refusal(stranger: SimulatedEnclave, service: HttpsJson): Promise<string> {
  try {
    await stranger.attest(service);
    return 'NOT_DENIED';
  } catch (error) {
    if (error instanceof Refused) return error.problem.code ?? `HTTP_${error.status}`;
    throw error;
  }
}

async function logged(
  admin: AdminClient,
  tenant: string,
  boot: Boot,
  check: (name: string, ok: boolean, detail?: string) => void,
): Promise<AuditEvent[]> {
  const granted = await admin.events(
    { tenant, session: boot.response.session },
    (found) => found.length >= 2,
  );
  const denied = await admin.events(
    { tenant, type: 'attestation.denied', mrenclave: STRANGER.mrenclave },
    (found) => found.length > 0,
  );
  check(
    'the log shows the grant',
    granted.some(({ type }) => type === 'attestation.granted'),
  );
  check(
    'the log shows the second fetch',
    granted.some(({ type }) => type === 'release.granted'),
  );
  check(
    'the log says why the other was denied',
    denied[0]?.reason?.code === 'MEASUREMENT_NOT_ALLOWED',
    denied[0]?.reason?.code,
  );
  return [...granted, ...denied.slice(0, 1)].sort((a, b) => a.time.localeCompare(b.time));
}

function tellEvents(events: readonly AuditEvent[], voice: DemoVoice): void {
  voice.say('The audit log has it all, durably, and had it before anything was answered:');
  for (const { time, type, outcome, workload, reason } of events) {
    voice.say(
      `    ${time}  ${type.padEnd(20)} ${outcome.padEnd(8)} ${workload ?? ''}${reason ? ` ${reason.code}` : ''}`,
    );
  }
}

function summary(
  boot: Boot,
  tcbStatus: string,
  code: string,
  events: AuditEvent[],
  checks: Check[],
): DemoSummary {
  const { response, payload } = boot;
  const certificate = payload.certificate;
  return {
    ok: checks.every(({ ok }) => ok),
    attest: { token: response.token, workload: response.workload, tcbStatus, simulated: response.simulated },
    release: {
      env: Object.keys(payload.env),
      files: payload.files.map(({ path }) => path),
      certificate: {
        subject: certificate ? new X509Certificate(certificate.chainPem).subject : '',
        dns: certificate?.dns ?? [],
        spiffeId: certificate?.spiffeId,
        notAfter: certificate?.notAfter ?? '',
      },
    },
    denied: { code },
    events: events.map(eventLine),
    checks,
  };
}
