import type { AuditEvent } from '#contracts';
import { toPem } from '#pki';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  hash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../apps/key-release/src/wrappers/marblerun/state/authority.js';
import { eventually, SIGNER, temporaryFolder } from './harness/index.js';
import { MarbleRunDeployment } from './marblerun/deployment.js';
import { openEnclaveReport } from './marblerun/marble-identity.js';
import { NotActivated, SOME_UUID } from './marblerun/reference-marble.js';
import { type Answer, call, type ClientIdentity, type Exchange } from './marblerun/rest-client.js';

jest.setTimeout(120_000);

const SECRET = `a secret of ${randomBytes(8).toString('hex')}`;
const { privateKey: RECOVERY, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const SIGNATURE_OVER = (secret: Buffer): string => sign('sha256', secret, RECOVERY).toString('base64');

async function newUser(name: string): Promise<ClientIdentity> {
  const { root } = await createAuthority('P-256', [name], new Date());
  const pkcs8 = root.privateKey.export({ format: 'der', type: 'pkcs8' });
  return { cert: root.pem, key: toPem('PRIVATE KEY', pkcs8) };
}
const manifestWith = (users: Readonly<Record<string, ClientIdentity>>) => ({
  Packages: { app: { SignerID: SIGNER, ProductID: 1, SecurityVersion: 3 } },
  Marbles: {
    web: { Package: 'app', Parameters: { Env: { MINE: '{{ string .Secrets.mine }}' } } },
    counter: { Package: 'app' },
  },
  Secrets: { mine: { Type: 'plain', UserDefined: true } },
  Users: Object.fromEntries(
    Object.entries(users).map(([name, { cert }]) => [name, { Certificate: cert, Roles: ['secrets'] }]),
  ),
  Roles: {
    secrets: { ResourceType: 'Secrets', ResourceNames: ['mine'], Actions: ['ReadSecret', 'WriteSecret'] },
  },
  RecoveryKeys: { operator: publicKey.export({ format: 'pem', type: 'spki' }) },
  Config: { FeatureGates: ['SignQuoteEndpoint', 'MonotonicCounter'] },
});

describe("MarbleRun's client API in a whole deployment", () => {
  const sealed = temporaryFolder();
  let marblerun: MarbleRunDeployment;
  let admin: ClientIdentity;
  let recoverySecret: Buffer;
  let root: string;

  const ask = (exchange: Exchange, host = 'main.example'): Promise<Answer> =>
    call(marblerun.clientPort, host, exchange);
  const get = (path: string, identity?: ClientIdentity) => ask({ method: 'GET', path, identity });
  const post = (path: string, body: unknown, more: Partial<Exchange> = {}) =>
    ask({ method: 'POST', path, body: typeof body === 'string' ? body : JSON.stringify(body), ...more });
  const dataOf = <T>({ body }: Answer): T => (JSON.parse(body) as { data: T }).data;
  const events = async (): Promise<AuditEvent[]> =>
    (await marblerun.tail.next()).filter(({ type }) => type.startsWith('coordinator.'));
  const code = async (): Promise<number> => dataOf<{ code: number }>(await get('/api/v2/status')).code;
  /** Kills the service in the middle of whatever it does and waits until it serves again. */
  async function killed(): Promise<void> {
    await marblerun.siegel.kill('key-release');
    await eventually('the client API', () =>
      get('/api/v2/status').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    await marblerun.siegel.ready();
  }

  beforeAll(async () => {
    admin = await newUser('admin');
    writeFileSync(join(sealed, 'startup.json'), JSON.stringify(manifestWith({})));
    marblerun = await MarbleRunDeployment.start({
      main: { default: true, hosts: ['main.example'], sealDir: join(sealed, 'main') },
      started: { hosts: ['started.example'], startupManifest: join(sealed, 'startup.json') },
    });
    root = hash('sha256', (await get('/status')).serverCertificate, 'hex');
  });
  afterAll(async () => {
    await marblerun?.stop();
    rmSync(sealed, { recursive: true, force: true });
  });

  it('comes up with the manifest of start, where there is one', async () => {
    const status = { method: 'GET', path: '/api/v2/status' };
    await eventually('the manifest of start', async () =>
      (await ask(status, 'started.example')).body.includes('"code":3'),
    );
    const all = await marblerun.siegel.log.all();
    const set = all.map(({ event }) => event).filter(({ type }) => type === 'coordinator.manifest');
    expect(set).toMatchObject([
      { data: { deployment: 'started', step: 'set', actor: 'startup', recoveryKeys: ['operator'] } },
    ]);
    await marblerun.tail.next();
  });

  it('takes its first manifest from an operator alone', async () => {
    const manifest = manifestWith({ admin });
    const refused = await post('/manifest', manifest);
    expect([refused.status, refused.body]).toEqual([401, expect.stringContaining('unauthorized')]);
    expect(await code()).toBe(2);
    const authorization = `Bearer ${marblerun.siegel.adminToken}`;
    const set = await post('/manifest', manifest, { headers: { authorization } });
    expect(set.status).toBe(200);
    const { RecoverySecrets } = dataOf<{ RecoverySecrets: { operator: string } }>(set);
    recoverySecret = privateDecrypt(
      { key: RECOVERY, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      Buffer.from(RecoverySecrets.operator, 'base64'),
    );
    expect(await code()).toBe(3);
    const fingerprint = hash('sha256', JSON.stringify(manifest), 'hex');
    expect(await events()).toMatchObject([
      {
        type: 'coordinator.refused',
        outcome: 'denied',
        data: { deployment: 'main', operation: 'POST /manifest' },
      },
      { type: 'coordinator.manifest', data: { step: 'set', fingerprint, actor: 'operator:admin-token' } },
    ]);
    // Once it is set, not even an operator replaces it but by an update.
    const again = await post('/manifest', manifest, { headers: { authorization } });
    expect([again.status, again.body]).toEqual([
      400,
      expect.stringContaining('server is not in expected state'),
    ]);
  });

  it('tells a secret to whom the manifest allows it, and the log of each', async () => {
    const mine = { mine: { Key: Buffer.from(SECRET).toString('base64') } };
    expect((await post('/api/v2/secrets', { secrets: mine }, { identity: admin })).status).toBe(200);
    const read = await get('/api/v2/secrets?s=mine', admin);
    const { secrets } = dataOf<{ secrets: { mine: { Private: string } } }>(read);
    expect(Buffer.from(secrets.mine.Private, 'base64').toString()).toBe(SECRET);
    const stranger = await newUser('admin');
    expect((await get('/api/v2/secrets?s=mine', stranger)).status).toBe(401);
    expect((await get('/api/v2/secrets?s=mine')).status).toBe(401);
    expect(await events()).toMatchObject([
      { type: 'coordinator.secrets', data: { actor: 'user:admin', operation: 'written', secrets: ['mine'] } },
      { type: 'coordinator.secrets', data: { actor: 'user:admin', operation: 'read', secrets: ['mine'] } },
      {
        type: 'coordinator.refused',
        reason: { code: 'UNAUTHORIZED' },
        data: { certificate: hash('sha256', new X509Certificate(stranger.cert).raw, 'hex') },
      },
      { type: 'coordinator.refused', reason: { code: 'UNAUTHORIZED' } },
    ]);
    const { env } = await marblerun.run('web');
    expect(env.get('MINE')?.toString()).toBe(SECRET);
  });

  it('survives SIGKILL as it was', async () => {
    const before = await get('/api/v2/manifest');
    const log = await get('/api/v2/update');
    await killed();
    expect((await get('/api/v2/manifest')).body).toBe(before.body);
    expect((await get('/api/v2/update')).body).toBe(log.body);
    expect(hash('sha256', (await get('/status')).serverCertificate, 'hex')).toBe(root);
    const { secrets } = dataOf<{ secrets: { mine: { Private: string } } }>(
      await get('/api/v2/secrets?s=mine', admin),
    );
    expect(Buffer.from(secrets.mine.Private, 'base64').toString()).toBe(SECRET);
  });

  it('keeps counters of marbles that were attested, over SIGKILL too', async () => {
    const { env } = await marblerun.run('counter');
    const identity = {
      cert: env.get('MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN')!.toString(),
      key: env.get('MARBLE_PREDEFINED_PRIVATE_KEY')!.toString(),
    };
    const raise = (value: string) =>
      post('/api/v2/monotonic-counter', `{"name":"c","value":${value}}`, { identity }).then(
        ({ body }) => body,
      );
    expect(await raise('18446744073709551615')).toContain('"value":0}');
    await killed();
    expect(await raise('1')).toContain('"value":18446744073709551615}');
    await marblerun.tail.next();
    await raise('0');
    expect(await events()).toMatchObject([
      {
        type: 'coordinator.counter',
        data: { actor: 'marble:counter', uuid: SOME_UUID, previous: '18446744073709551615' },
      },
    ]);
  });

  it('signs what it finds of a quote, and nothing of what does not verify', async () => {
    const quote = openEnclaveReport(Buffer.from(marblerun.quoting('app')(randomBytes(64))));
    const sent = quote.toString('base64');
    const answer = await post('/api/v2/sign-quote', { sgxQuote: sent });
    const { tcbStatus, verificationSignature } = dataOf<Record<string, string>>(answer);
    expect(tcbStatus).toBe('UpToDate');
    const key = new X509Certificate(answer.serverCertificate).publicKey;
    expect(
      verify('sha256', Buffer.from(sent + tcbStatus), key, Buffer.from(verificationSignature!, 'base64')),
    ).toBe(true);
    quote[quote.length - 2_000]! ^= 1;
    const forged = await post('/api/v2/sign-quote', { sgxQuote: quote.toString('base64') });
    expect([forged.status, forged.body]).toEqual([
      400,
      expect.stringContaining('"message":"quote verification failed"'),
    ]);
    expect((await events()).map(({ type }) => type)).toEqual([
      'coordinator.quote-signed',
      'coordinator.refused',
    ]);
  });

  it('tells nothing while the log is away', async () => {
    await marblerun.siegel.frozen('audit', async () => {
      const unread = await get('/api/v2/secrets?s=mine', admin);
      expect([unread.status, unread.body]).toEqual([
        503,
        expect.stringMatching(/^\{"status":"error","data":null,/),
      ]);
      const unset = await post('/secrets', { mine: { Key: 'eA==' } }, { identity: admin });
      expect(unset.status).toBe(503);
      // What needs no event goes on.
      expect(await code()).toBe(3);
    });
    await eventually('the log', async () => (await get('/api/v2/secrets?s=mine', admin)).status === 200);
    const { secrets } = dataOf<{ secrets: { mine: { Private: string } } }>(
      await get('/api/v2/secrets?s=mine', admin),
    );
    expect(Buffer.from(secrets.mine.Private, 'base64').toString()).toBe(SECRET);
    await marblerun.tail.next();
  });

  it('without its sealing key waits for a recovery, which only the recovery key brings', async () => {
    unlinkSync(join(sealed, 'main', 'sealed_key'));
    await killed();
    expect(await code()).toBe(1);
    expect(hash('sha256', (await get('/status')).serverCertificate, 'hex')).not.toBe(root);
    const refused = await marblerun.run('web').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 9, details: expect.stringContaining('cannot accept marbles') });
    expect(refused).toBeInstanceOf(NotActivated);
    expect((await post('/manifest', manifestWith({ admin }))).status).toBe(401);
    const recover = (secret: Buffer, recoverySecretSignature: string) =>
      post('/api/v2/recover', { recoverySecret: secret.toString('base64'), recoverySecretSignature });
    expect((await recover(randomBytes(32), SIGNATURE_OVER(recoverySecret))).status).toBe(500);
    expect((await recover(recoverySecret, '')).status).toBe(500);
    const { ephemeralPublicKey } = dataOf<{ ephemeralPublicKey: string }>(
      await get('/api/v2/recover/public-key'),
    );
    const encrypted = publicEncrypt(
      {
        key: createPublicKey({ key: Buffer.from(ephemeralPublicKey, 'base64'), format: 'der', type: 'spki' }),
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: 'sha256',
      },
      recoverySecret,
    );
    const done = await recover(encrypted, SIGNATURE_OVER(recoverySecret));
    expect([done.status, done.body]).toEqual([200, expect.stringContaining('"remaining":0')]);
    expect(await code()).toBe(3);
    expect(hash('sha256', (await get('/status')).serverCertificate, 'hex')).toBe(root);
    const { env } = await marblerun.run('web');
    expect(env.get('MINE')?.toString()).toBe(SECRET);
    const told = (await events()).map(({ type, data }) => [type, 'step' in data ? data.step : undefined]);
    expect(told.filter(([type]) => type === 'coordinator.recovery').slice(-2)).toEqual([
      ['coordinator.recovery', 'share'],
      ['coordinator.recovery', 'recovered'],
    ]);
    expect(told.filter(([type]) => type === 'coordinator.refused')).toHaveLength(3);
  });

  it('has written the secret nowhere but to whom it was told', () => {
    for (const text of [marblerun.siegel.logText(), ...sealedFiles()]) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(Buffer.from(SECRET).toString('base64'));
    }
  });
  const sealedFiles = (): string[] =>
    readdirSync(join(sealed, 'main')).map((name) => readFileSync(join(sealed, 'main', name), 'latin1'));
});
