import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SiegelError } from '#contracts';
import {
  createHash,
  generateKeyPairSync,
  sign,
  privateDecrypt,
  constants,
  verify as verifySignature,
  X509Certificate,
} from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { ADMIN_TOKEN, CoordinatorHost } from '../../../../../../test/marblerun/coordinator-host.js';
import {
  type Answer,
  call,
  type ClientIdentity,
  type Exchange,
} from '../../../../../../test/marblerun/rest-client.js';
import { toPem } from '#pki';
import { createAuthority } from '../state/authority.js';

jest.setTimeout(30_000);
const BASE = { tenant: 'default', hosts: ['one.example'] };
const BEARER = { authorization: `Bearer ${ADMIN_TOKEN}` };
const UNIQUE_ID = 'ab'.repeat(32);

let host: CoordinatorHost;
afterEach(() => host?.stop());

const ask = (exchange: Exchange, name = 'one.example'): Promise<Answer> => call(host.port, name, exchange);
const set = (manifest: unknown, more: Partial<Exchange> = {}): Promise<Answer> =>
  ask({ method: 'POST', path: '/manifest', body: JSON.stringify(manifest), ...more });
const message = ({ body }: Answer): string => (JSON.parse(body) as { message?: string }).message ?? '';
const refusals = () => host.events.filter(({ type }) => type === 'coordinator.refused');

async function user(): Promise<ClientIdentity> {
  const { root } = await createAuthority('P-256', ['user'], new Date());
  return {
    cert: root.pem,
    key: toPem('PRIVATE KEY', root.privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}
const manifestFor = (users: Record<string, ClientIdentity>, more: object = {}): Record<string, unknown> => ({
  Packages: { app: { SignerID: 'cd'.repeat(32), ProductID: 1, SecurityVersion: 2 } },
  Marbles: { web: { Package: 'app' } },
  Secrets: {
    shared: { Type: 'symmetric-key', Size: 128, Shared: true },
    cert: { Type: 'cert-ecdsa', Size: 256, Shared: true },
    mine: { Type: 'plain', UserDefined: true },
  },
  Users: Object.fromEntries(
    Object.entries(users).map(([name, { cert }]) => [
      name,
      { Certificate: cert, Roles: ['all', 'secrets', 'svn'] },
    ]),
  ),
  Roles: {
    all: { ResourceType: 'Manifest', Actions: ['UpdateManifest'] },
    svn: { ResourceType: 'Packages', ResourceNames: ['app'], Actions: ['UpdateSecurityVersion'] },
    secrets: { ResourceType: 'Secrets', ResourceNames: ['mine'], Actions: ['ReadSecret', 'WriteSecret'] },
  },
  ...more,
});

describe('who sets the first manifest', () => {
  const MANIFEST = { Packages: { app: { UniqueID: UNIQUE_ID } }, Marbles: { m: { Package: 'app' } } };

  it('is an operator, by token or pinned certificate, and nobody else', async () => {
    const operator = await user();
    host = await CoordinatorHost.start({ one: BASE });
    for (const headers of [{}, { authorization: 'Bearer guessed' }, { authorization: ADMIN_TOKEN }]) {
      const refused = await set(MANIFEST, { headers });
      expect([refused.status, message(refused)]).toEqual([401, expect.stringMatching(/^unauthorized: /)]);
    }
    const v2 = { method: 'POST', path: '/api/v2/manifest', body: JSON.stringify({ manifest: 'e30=' }) };
    const refused = await ask({ ...v2, identity: operator });
    expect([refused.status, refused.headers['content-type']]).toEqual([401, 'application/json']);
    expect(refusals()).toHaveLength(4);
    expect((await ask({ method: 'GET', path: '/status' })).body).toContain('"StatusCode":2');
    expect((await set(MANIFEST, { headers: BEARER })).status).toBe(200);
    expect(host.events.at(-1)).toMatchObject({
      type: 'coordinator.manifest',
      data: { actor: 'operator:admin-token' },
    });
  });

  it('may be whoever holds a pinned certificate, whose key the handshake proves', async () => {
    const operator = await user();
    host = await CoordinatorHost.start({ one: { ...BASE, operators: [] } });
    await host.stop();
    host = await CoordinatorHost.start({ one: BASE });
    const file = join(host.dir, 'operator.pem');
    writeFileSync(file, operator.cert);
    writeFileSync(
      join(host.dir, 'deployments.json'),
      JSON.stringify({ deployments: { one: { ...BASE, operators: [file] } } }),
    );
    await host.restart();
    expect((await set(MANIFEST, { identity: await user() })).status).toBe(401);
    expect((await set(MANIFEST, { identity: operator })).status).toBe(200);
    const { data } = host.events.at(-1) as { data: { actor: string } };
    expect(data.actor).toMatch(/^operator:certificate [0-9a-f]{16}$/);
  });

  it('may be anybody who brings the manifest whose digest is pinned; not to give up a recovery', async () => {
    const text = JSON.stringify(MANIFEST);
    const firstManifest = createHash('sha256').update(text).digest('hex');
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest } });
    expect((await set({ ...MANIFEST, Secrets: {} })).status).toBe(401);
    expect((await set(MANIFEST)).status).toBe(200);
    await host.restart({ without: ['one'] });
    expect((await set(MANIFEST)).status).toBe(401);
    expect((await set(MANIFEST, { headers: BEARER })).status).toBe(200);
    expect(host.events.filter(({ type }) => type === 'coordinator.recovery')).toMatchObject([
      { data: { step: 'abandoned' } },
    ]);
  });

  it('is refused what is misspelt, unless the deployment is as lenient as upstream', async () => {
    const misspelt = {
      ...MANIFEST,
      Packages: { app: { UniqueID: UNIQUE_ID, AcceptedTCBStatus: ['UpToDate'] } },
    };
    host = await CoordinatorHost.start({
      one: BASE,
      two: { ...BASE, hosts: ['two.example'], manifestChecks: 'upstream' },
    });
    const refused = await set(misspelt, { headers: BEARER });
    expect([refused.status, message(refused)]).toEqual([
      400,
      'checking manifest: unknown key "AcceptedTCBStatus" in Packages.app; did you mean "AcceptedTCBStatuses"?',
    ]);
    const lenient = await ask(
      { method: 'POST', path: '/manifest', body: JSON.stringify(misspelt), headers: BEARER },
      'two.example',
    );
    expect(lenient.status).toBe(200);
  });
});

describe('without the log', () => {
  it('nothing is set, read or written, and nothing told', async () => {
    const admin = await user();
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest: 'first-caller' } });
    const outage = (): never => {
      throw new SiegelError('AUDIT_UNAVAILABLE');
    };
    host.onEvent = outage;
    const refused = await set(manifestFor({ admin }));
    expect([refused.status, refused.body]).toEqual([503, expect.stringContaining('AUDIT_UNAVAILABLE')]);
    expect(host.deployment('one').state).toBe('AcceptingManifest');
    host.onEvent = () => undefined;
    expect((await set(manifestFor({ admin }))).status).toBe(200);
    host.onEvent = outage;
    const write = {
      method: 'POST',
      path: '/secrets',
      body: JSON.stringify({ mine: { Key: 'eA==' } }),
      identity: admin,
    };
    expect((await ask(write)).status).toBe(503);
    const read = { method: 'GET', path: '/secrets?s=mine', identity: admin };
    const unread = await ask(read);
    expect([unread.status, unread.body]).toEqual([503, expect.not.stringContaining('eA==')]);
    host.onEvent = () => undefined;
    expect((await ask(read)).body).toContain('"Private":null');
    // A denial that cannot be logged is an outage, not a denial.
    host.onEvent = outage;
    expect((await ask({ ...read, identity: await user() })).status).toBe(503);
  });
});

describe('a flood of refusals', () => {
  it('is not told what cannot be logged, and others are served meanwhile', async () => {
    const admin = await user();
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest: 'first-caller' } });
    await set(manifestFor({ admin }));
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const session = connect(`https://127.0.0.1:${host.port}`, {
          rejectUnauthorized: false,
          servername: 'one.example',
        });
        const statuses = await Promise.all(Array.from({ length: 8 }, () => statusOf(session)));
        session.close();
        return statuses;
      }),
    );
    const statuses = answers.flat();
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(refusals()).toHaveLength(statuses.filter((status) => status === 401).length);
    expect((await ask({ method: 'GET', path: '/secrets?s=mine', identity: admin })).status).toBe(200);
  });

  const statusOf = (session: ClientHttp2Session): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/api/v2/secrets?s=mine', ':authority': 'one.example' });
      stream
        .on('response', (headers) => resolve(Number(headers[':status'])))
        .on('error', reject)
        .resume();
    });
});

describe('a recovery', () => {
  it('is refused to whoever fails too often, and nobody else', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const admin = await user();
    const RecoveryKeys = { key: publicKey.export({ format: 'pem', type: 'spki' }) };
    host = await CoordinatorHost.start({
      one: { ...BASE, firstManifest: 'first-caller', recoveryAttemptsPerMinute: 3 },
    });
    const { body } = await set(manifestFor({ admin }, { RecoveryKeys }));
    const { data } = JSON.parse(body) as { data: { RecoverySecrets: { key: string } } };
    const secret = privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      Buffer.from(data.RecoverySecrets.key, 'base64'),
    );
    await host.restart({ without: ['one'] });
    const recover = (recoverySecret: Buffer, signature: Buffer, localAddress = '127.0.0.1') =>
      ask({
        method: 'POST',
        path: '/api/v2/recover',
        body: JSON.stringify({
          recoverySecret: recoverySecret.toString('base64'),
          recoverySecretSignature: signature.toString('base64'),
        }),
        localAddress,
      });
    const signature = sign('sha256', secret, privateKey);
    for (let i = 0; i < 3; i++) expect((await recover(Buffer.alloc(32, i), signature)).status).toBe(500);
    const limited = await recover(secret, signature);
    expect([limited.status, message(limited)]).toEqual([
      429,
      'too many failed recovery attempts; try again in 20 seconds',
    ]);
    expect(refusals().map(({ reason }) => reason?.code)).toEqual([
      'RECOVERY_REFUSED',
      'RECOVERY_REFUSED',
      'RECOVERY_REFUSED',
      'RATE_LIMITED',
    ]);
    expect(host.deployment('one').state).toBe('Recovery');
    const other = await recover(secret, signature, '127.0.0.2');
    expect([other.status, other.body]).toEqual([200, expect.stringContaining('Recovery successful.')]);
    expect(host.events.slice(-2)).toMatchObject([
      { type: 'coordinator.recovery', data: { step: 'share', recoveryKey: 'key' } },
      { type: 'coordinator.recovery', data: { step: 'recovered' } },
    ]);
  });
});

describe('the listener', () => {
  it('serves each deployment by its name and root, and no other on that connection', async () => {
    host = await CoordinatorHost.start({ one: BASE, two: { ...BASE, hosts: ['two.example'] } });
    const status = { method: 'GET', path: '/api/v2/status' };
    const [one, two] = [await ask(status), await ask(status, 'two.example')];
    expect(one.serverCertificate).not.toEqual(two.serverCertificate);
    expect(new X509Certificate(one.serverCertificate).subject).toBe('CN=MarbleRun Coordinator');
    expect((await ask({ ...status, headers: { host: 'two.example' } })).status).toBe(421);
    await expect(ask(status, 'three.example')).rejects.toThrow();
  });

  it('speaks HTTP/2, with the client certificate of its connection', async () => {
    const admin = await user();
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest: 'first-caller', default: true } });
    await set(manifestFor({ admin }));
    const session = connect(`https://127.0.0.1:${host.port}`, { rejectUnauthorized: false, ...admin });
    try {
      const get = (path: string): Promise<[number, string]> =>
        new Promise((resolve, reject) => {
          const stream = session.request({ ':path': path });
          let status = 0;
          let body = '';
          stream.on('response', (headers) => (status = Number(headers[':status'])));
          stream.setEncoding('utf8').on('data', (text: string) => (body += text));
          stream.on('end', () => resolve([status, body])).on('error', reject);
        });
      expect(await get('/api/v2/secrets?s=mine')).toEqual([200, expect.stringContaining('"mine"')]);
      expect(await get('/nope')).toEqual([405, '{"status":"error","data":null}\n']);
    } finally {
      session.close();
    }
  });

  it('ends what is too large or too slow', async () => {
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest: 'first-caller' } });
    const large = await ask({
      method: 'POST',
      path: '/manifest',
      body: 'x'.repeat(3 * 1_024 * 1_024 + 1),
    }).catch(() => undefined);
    if (large) expect(large.status).toBe(413);
    const slow = await ask({
      method: 'POST',
      path: '/manifest',
      body: '{',
      headers: { 'content-length': '10' },
    });
    expect(slow.status).toBe(408);
    const mute = connectTls({
      port: host.port,
      host: '127.0.0.1',
      servername: 'one.example',
      rejectUnauthorized: false,
    });
    mute.write('GET / HTTP/1.1\r\n');
    mute.resume().on('error', () => undefined);
    await once(mute, 'close');
    expect(host.deployment('one').state).toBe('AcceptingManifest');
  });
});

describe('sign-quote', () => {
  it('signs with the root what the verifier says, and refuses what it refuses', async () => {
    host = await CoordinatorHost.start({ one: { ...BASE, firstManifest: 'first-caller' } });
    await set(manifestFor({}, { Config: { FeatureGates: ['signquoteendpoint'] } }));
    const quote = Buffer.from('a quote');
    const send = () =>
      ask({
        method: 'POST',
        path: '/api/v2/sign-quote',
        body: JSON.stringify({ sgxQuote: quote.toString('base64') }),
      });
    host.verify = ({ evidence }) => {
      expect(Buffer.from(evidence)).toEqual(quote);
      return Promise.resolve({
        verified: true,
        claims: { tcbStatus: 'SWHardeningNeeded', simulated: false },
      } as never);
    };
    const answer = await send();
    const { data } = JSON.parse(answer.body) as {
      data: { tcbStatus: string; verificationSignature: string };
    };
    expect(data.tcbStatus).toBe('SWHardeningNeeded');
    expect(
      verifySignature(
        'sha256',
        Buffer.from(`${quote.toString('base64')}SWHardeningNeeded`),
        new X509Certificate(answer.serverCertificate).publicKey,
        Buffer.from(data.verificationSignature, 'base64'),
      ),
    ).toBe(true);
    expect(host.events.at(-1)).toMatchObject({
      type: 'coordinator.quote-signed',
      tcbStatus: 'SWHardeningNeeded',
    });
    host.verify = () =>
      Promise.resolve({ verified: false, error: { code: 'PCK_REVOKED', message: 'revoked' } } as never);
    const refused = await send();
    expect([refused.status, refused.body]).toEqual([400, expect.stringContaining('PCK_REVOKED')]);
    host.verify = () => Promise.reject(new SiegelError('VERIFIER_UNAVAILABLE'));
    expect((await send()).status).toBe(503);
  });
});
