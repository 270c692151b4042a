import type { PlatformOptions, QuoteRequest } from '#simulator';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningSiegel, TENANT, VAULT } from './harness/index.js';
import { quoting, SAMPLE } from './trustee/attesters.js';
import { BYTES, MANIFEST, TD, TEXT, TrusteeDeployment } from './trustee/deployment.js';
import { type ClientOptions, KbsClient, KbsFailure } from './trustee/kbs-client.js';
import { KbsConnection } from './trustee/kbs-connection.js';
import { ALGORITHMS, TeeKeyPair } from './trustee/tee-key-pair.js';

jest.setTimeout(120_000);

const PATH = 'default/key/test';
/** Long enough for each test, short enough to be over at the end of all. */
const SESSION_SECONDS = 10;
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as Record<string, unknown>;

describe("Trustee's KBS protocol", () => {
  let kbs: TrusteeDeployment;
  let siegel: RunningSiegel;
  /** Made at the beginning, to have expired at the end. */
  let first: KbsClient;
  let firstToken: string;
  let firstEnds: number;

  beforeAll(async () => {
    kbs = await TrusteeDeployment.start([`SIEGEL_TRUSTEE_SESSION_SECONDS=${SESSION_SECONDS}`]);
    ({ siegel } = kbs);
    first = kbs.client('app');
    firstToken = await first.handshake();
    firstEnds = (claimsOf(firstToken)['exp'] as number) * 1_000;
  });
  afterAll(() => kbs?.stop());

  describe('an approved enclave', () => {
    it.each(['0.4.0', '0.2.0', '0.1.1'] as const)('by protocol %s has its resource', async (version) => {
      await kbs.last();
      const key = TeeKeyPair.generate(version === '0.1.1' ? 'RSA1_5' : undefined);
      const client = kbs.client('app', { version, key });
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const events = await kbs.last();
      expect(events).toMatchObject([
        {
          type: 'attestation.granted',
          workload: 'app',
          simulated: true,
          data: { binding: 'trustee-runtime-data', challenge: true, grants: [] },
        },
        {
          type: 'release.granted',
          workload: 'app',
          session: events[0]!.session,
          data: { grants: [{ alias: PATH, as: 'resource', vault: VAULT, objectName: 'text' }] },
        },
      ]);
      expect(JSON.stringify(events)).not.toContain(TEXT);
    });

    it.each(ALGORITHMS)('with a key for %s, by cookie and by token', async (algorithm) => {
      const key = TeeKeyPair.generate(algorithm);
      const client = kbs.client('app', { key });
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const token = await kbs.client('app', { key }).getToken();
      expect((await kbs.client('app', { key }).getResourceWithToken(PATH, token)).toString()).toBe(TEXT);
    });

    it('reads what the vault has as text for bytes, and again with one session', async () => {
      const client = kbs.client('app');
      expect(await client.getResource('default/key/bytes')).toEqual(BYTES);
      const [first] = [client.connection.session];
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      expect(client.connection.session).toBe(first);
    });

    it.each([`/${PATH}`, `//${PATH.replace('/', '//')}`])('writes its path as %s', async (path) => {
      expect((await kbs.client('app').getResource(path)).toString()).toBe(TEXT);
    });

    it('carries a token that says what was found, with the key that signs it', async () => {
      const client = kbs.client('app');
      const token = await client.getToken();
      const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as object;
      const { keys } = (await siegel.service.call('GET', '/.well-known/jwks.json')).body as {
        keys: { kid: string; x: string }[];
      };
      expect(header).toMatchObject({ typ: 'JWT', alg: 'ES256', kid: keys[0]!.kid, jwk: { x: keys[0]!.x } });
      const { submods, exp, iat, ...rest } = claimsOf(token) as {
        submods: { cpu0: Record<string, Record<string, unknown>> };
        exp: number;
        iat: number;
      };
      expect(rest).toMatchObject({
        iss: 'CoCo-Attestation-Service',
        eat_profile: 'tag:github.com,2024:confidential-containers/Trustee',
        siegel: { workload: 'app', tenant: TENANT, simulated: true },
      });
      expect(exp - iat).toBeGreaterThan(SESSION_SECONDS - 5);
      expect(exp - iat).toBeLessThanOrEqual(SESSION_SECONDS);
      const { cpu0 } = submods;
      expect(cpu0['ear.status']).toBe('affirming');
      expect(cpu0['ear.trustworthiness-vector']).toMatchObject({ executables: 3, hardware: 2 });
      expect(cpu0['ear.veraison.annotated-evidence']).toMatchObject({
        sgx: {
          ...{ tcb_status: 'UpToDate', collateral_expiration_status: '0', debug: false, isv_svn: 3 },
          ...{ header: { version: '0300' }, body: { isv_svn: '0300' } },
        },
        runtime_data_claims: { 'tee-pubkey': client.key.jwk, 'additional-evidence': '' },
      });
    });

    it('a trust domain', async () => {
      const sgx = siegel.machines.sgx;
      const platform = sgx.platform({ name: 'demo' });
      siegel.machines.addBundle('tdx', sgx.collateral({ platform, tee: 'tdx' }));
      const { mrtd, rtmr1, rtmr2 } = TD;
      const attester = quoting('tdx', (reportData) =>
        platform.quote({
          tee: 'tdx',
          ...{ mrtd, rtmrs: ['00'.repeat(48), rtmr1, rtmr2, '00'.repeat(48)], reportData },
        } as QuoteRequest),
      );
      const client = new KbsClient(kbs.transport, attester);
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const enclave = kbs.client('app', { change: (body) => body }, { ...attester, tee: 'sgx' });
      await kbs.refused(() => enclave.getToken(), /EVIDENCE_REJECTED \(TEE_MISMATCH\)/, 'TEE_MISMATCH');
    });

    it('with init-data that its CONFIGID measures, and not with other init-data', async () => {
      const initData = 'version = "0.1.0"\nalgorithm = "sha384"\n\n[data]\n"aa.toml" = "algorithm = 1"\n';
      const digest = createHash('sha384').update(initData).digest();
      const configId = Buffer.concat([digest], 64);
      const attester = kbs.enclave('app', { configId, kss: true } as QuoteRequest);
      expect((await kbs.client('app', { initData }, attester).getResource(PATH)).toString()).toBe(TEXT);
      await kbs.refused(
        () => kbs.client('app', { initData: `${initData}#` }, attester).getResource(PATH),
        /INIT_DATA_MISMATCH/,
        'INIT_DATA_MISMATCH',
      );
    });

    it('the sample attester, in this simulation alone, stands for the workload that the configuration names', async () => {
      const client = new KbsClient(kbs.transport, SAMPLE, { sampleDevice: true });
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const token = await new KbsClient(kbs.transport, SAMPLE).getToken();
      expect(claimsOf(token)).toMatchObject({ submods: { cpu0: { 'ear.status': 'none' } } });
      const spoiled = new KbsClient(kbs.transport, {
        ...SAMPLE,
        evidence: () => SAMPLE.evidence(randomBytes(48)),
      });
      await kbs.refused(() => spoiled.getToken(), /BINDING_MISMATCH/, 'BINDING_MISMATCH');
    });

    it('comes in crowds: forty at once, each with its own session', async () => {
      await kbs.last();
      const clients = Array.from({ length: 40 }, () => kbs.client('app'));
      const answers = await Promise.all(clients.map((client) => client.getResource(PATH)));
      expect(answers.every((answer) => answer.toString() === TEXT)).toBe(true);
      const events = await kbs.last();
      expect(events).toHaveLength(80);
      expect(new Set(events.map(({ session }) => session)).size).toBe(40);
    });
  });

  describe('refuses, tells the user of the client why, and the log more', () => {
    it.each<readonly [string, string, string, QuoteRequest, PlatformOptions]>([
      ['a wrong measurement', 'stranger', 'MEASUREMENT_NOT_ALLOWED', {}, {}],
      ['a debug enclave', 'app', 'DEBUG_ENCLAVE', { debug: true } as QuoteRequest, {}],
      ['a TCB below policy', 'app', 'TCB_STATUS_NOT_ACCEPTED', {}, { name: 'old', tcbStatus: 'OutOfDate' }],
      ['a workload of the native protocol', 'native', 'BINDING_NOT_ALLOWED', {}, {}],
      ['a workload without resources', 'bound', 'TRUSTEE_NOT_GRANTED', {}, {}],
    ])('%s', async (_what, word, code, report, machine) => {
      const client = kbs.client(word, {}, kbs.enclave(word, report, machine));
      const event = await kbs.refused(
        () => client.getResource(PATH),
        new RegExp(`^RELEASE_DENIED \\(${code}\\): .+\\.$`),
        code,
      );
      expect(event).toMatchObject({ type: 'attestation.denied', data: { protocol: 'trustee' } });
    });

    it('an SVN below the floor', async () => {
      const report = {
        mrsigner: createHash('sha256').update('test enclave release signer').digest(),
        isvProdId: 7,
      };
      const by = (isvSvn: number) =>
        kbs.client('x', {}, kbs.enclave('build', { ...report, isvSvn } as QuoteRequest));
      expect((await by(4).getResource(PATH)).toString()).toBe(TEXT);
      await kbs.refused(() => by(3).getResource(PATH), /ISV_SVN_TOO_LOW/, 'ISV_SVN_TOO_LOW');
    });

    it('a revoked PCK certificate', async () => {
      const machine = { name: 'revoked', fmspc: 'ee00deadbeef' };
      const { sgx } = siegel.machines;
      const revokedPcks = [sgx.platform(machine).pck.profile.serial];
      siegel.machines.addBundle('revoked', sgx.collateral({ fmspc: machine.fmspc, revokedPcks }));
      const client = kbs.client('app', {}, kbs.enclave('app', {}, machine));
      await kbs.refused(() => client.getResource(PATH), /^EVIDENCE_REJECTED \(PCK_REVOKED\)/, 'PCK_REVOKED');
    });

    it.each<readonly [string, ClientOptions, string]>([
      ["another client's evidence", { key: TeeKeyPair.generate() }, 'BINDING_MISMATCH'],
      ['the same by protocol 0.2.0', { version: '0.2.0' }, 'BINDING_MISMATCH'],
    ])('a wrong binding: %s', async (_what, options, code) => {
      const spoiled = quoting('sgx', (reportData) => {
        const other = Buffer.from(reportData);
        other[0]! ^= 1;
        const { quote } = kbs.enclave('app').evidence(other.subarray(0, 48)) as { quote: string };
        return Buffer.from(quote, 'base64');
      });
      await kbs.refused(
        () => kbs.client('app', options, spoiled).getResource(PATH),
        /BINDING_MISMATCH/,
        code,
      );
    });

    it('additional evidence that the report data does not cover, and devices that nothing verifies', async () => {
      const added = (additional_evidence: string) => (body: Record<string, unknown>) => ({
        ...body,
        'tee-evidence': { ...(body['tee-evidence'] as object), additional_evidence },
      });
      const covered = kbs.client('app', { change: added('{"sampledevice":{}}') });
      await kbs.refused(() => covered.getToken(), /BINDING_MISMATCH/, 'BINDING_MISMATCH');
      const gpu = kbs.client('app', { devices: '{"nvidia":{}}' });
      await kbs.refused(
        () => gpu.getToken(),
        /^EVIDENCE_UNSUPPORTED \(DEVICE_UNSUPPORTED\)/,
        'DEVICE_UNSUPPORTED',
      );
      const strange = kbs.client('app', { devices: '[1]' });
      await kbs.refused(() => strange.getToken(), /additional_evidence/, 'REQUEST_MALFORMED');
    });

    it('a nonce of another session', async () => {
      const earlier = await kbs.client('app').auth();
      const client = kbs.client('app');
      await client.auth();
      await kbs.refused(
        () => client.attest(earlier),
        /^CHALLENGE_INVALID \(NONCE_MISMATCH\)/,
        'NONCE_MISMATCH',
      );
    });

    it('a session that has attested, and one that tried: it takes one attestation', async () => {
      const client = kbs.client('app');
      const nonce = await client.auth();
      await client.attest(nonce);
      const replay = () => client.attest(nonce);
      await kbs.refused(replay, /^CHALLENGE_REPLAYED/, 'SESSION_ATTESTED_BEFORE');
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const failing = kbs.client('stranger');
      const wrong = await failing.auth();
      await expect(failing.attest(wrong)).rejects.toThrow(KbsFailure);
      await kbs.refused(() => failing.attest(wrong), /^CHALLENGE_REPLAYED/, 'SESSION_ATTESTED_BEFORE');
    });

    it('of attestations at once for one session all but exactly one', async () => {
      await kbs.last();
      for (let round = 0; round < 5; round++) {
        const first = kbs.client('app');
        const nonce = await first.auth();
        const { session } = first.connection;
        const rivals = Array.from({ length: 7 }, () => {
          const rival = kbs.client('app');
          rival.connection.borrow(session);
          return rival;
        });
        const outcomes = await Promise.allSettled([first, ...rivals].map((client) => client.attest(nonce)));
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(lost).toHaveLength(7);
        for (const { reason } of lost) expect((reason as KbsFailure).answer?.status).toBe(403);
        const winner = [first, ...rivals][outcomes.findIndex(({ status }) => status === 'fulfilled')]!;
        expect((await winner.getResource(PATH)).toString()).toBe(TEXT);
      }
      const events = await kbs.last();
      expect(events.filter(({ type }) => type === 'attestation.granted')).toHaveLength(5);
      const denied = events.filter(({ outcome }) => outcome === 'denied');
      expect(new Set(denied.map(({ reason }) => reason?.code))).toEqual(new Set(['SESSION_ATTESTED_BEFORE']));
      expect(denied).toHaveLength(35);
    });

    it.each([
      ['other/key/test', 403, 'RESOURCE_NOT_GRANTED', /^RELEASE_DENIED \(RESOURCE_NOT_GRANTED\)/],
      ['default/key/nothing', 403, 'RESOURCE_NOT_GRANTED', /^RELEASE_DENIED \(RESOURCE_NOT_GRANTED\)/],
      ['default/key/broken', 403, 'RESOURCE_ENCODING', /^SECRET_UNUSABLE \(RESOURCE_ENCODING\)/],
      ['default/key/missing', 404, 'SECRET_NOT_FOUND', /is granted, but the vault does not have it/],
    ])('a resource: %s', async (path, status, code, text) => {
      const client = kbs.client('app');
      await client.handshake();
      const event = await kbs.refused(
        async () => {
          const failure = await client.getResource(path).catch((error: unknown) => error);
          expect((failure as KbsFailure).answer?.status).toBe(status);
          throw failure;
        },
        text,
        code,
      );
      expect(event).toMatchObject({ type: 'release.denied', workload: 'app' });
    });

    it('a resource that the manifest in force no longer grants, and a session that was revoked', async () => {
      const client = kbs.client('app');
      const token = await client.handshake();
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const manifest = JSON.parse(MANIFEST) as { workloads: { app: { trustee: { resources: object[] } } } };
      const { version } = (await siegel.adminCall('GET', '/v1/tenants/default/manifest')).body as {
        version: number;
      };
      manifest.workloads.app.trustee.resources.shift();
      await siegel.admin.setManifest(TENANT, JSON.stringify(manifest), version);
      await kbs.refused(() => client.getResource(PATH), /RESOURCE_NOT_GRANTED/, 'RESOURCE_NOT_GRANTED');
      await siegel.admin.setManifest(TENANT, MANIFEST, version + 1);
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      const { siegel: own } = claimsOf(token) as { siegel: { session: string } };
      const revoked = `/v1/tenants/default/sessions/${own.session}/revoke`;
      expect((await siegel.adminCall('POST', revoked)).status).toBeLessThan(300);
      await kbs.refused(() => client.getResource(PATH), /^SESSION_REVOKED/, 'SESSION_REVOKED');
      const carrier = kbs.client('app', { key: client.key });
      await kbs.refused(
        () => carrier.getResourceWithToken(PATH, token),
        /^SESSION_REVOKED/,
        'SESSION_REVOKED',
      );
    });

    it('a session without attestation, an unknown one, and one of a made-up cookie: 401 alone', async () => {
      for (const session of ['', 'ab'.repeat(16), 'ff'.repeat(16), '../../etc']) {
        const connection = new KbsConnection(kbs.transport).borrow(session);
        const answer = await connection.call('GET', `/kbs/v0/resource/${PATH}`);
        expect(answer.status).toBe(401);
        expect(JSON.parse(answer.text)).toEqual({
          type: 'https://github.com/confidential-containers/kbs/errors/TokenNotFound',
          detail: 'Attestation Token not found',
        });
        expect(answer.headers['content-type']).toBeUndefined();
      }
      const client = kbs.client('app');
      const nonce = await client.auth();
      expect((await client.connection.call('GET', `/kbs/v0/resource/${PATH}`)).status).toBe(401);
      expect((await client.attest(nonce)).length).toBeGreaterThan(100);
    });
  });

  it('a session and its token that have expired', async () => {
    await sleep(Math.max(0, firstEnds - Date.now() + 50));
    const { connection, key } = first;
    const borrowed = new KbsConnection(kbs.transport).borrow(connection.session);
    const byCookie = await borrowed.call('GET', `/kbs/v0/resource/${PATH}`);
    expect({ status: byCookie.status, text: byCookie.text }).toMatchObject({
      status: 401,
      text: expect.stringMatching(/TokenNotFound/),
    });
    const carrier = kbs.client('app', { key });
    await expect(carrier.getResourceWithToken(PATH, firstToken)).rejects.toThrow('the token has expired');
    const late = await borrowed.call('POST', '/kbs/v0/attest', { body: '{}' });
    expect(late).toMatchObject({ status: 401, text: expect.stringMatching(/the session has expired/) });
    // The real client attests again by itself.
    expect((await first.getResource(PATH)).toString()).toBe(TEXT);
  });

  it('never wrote a secret to a log', () => {
    expect(siegel.logText()).not.toContain(TEXT);
    expect(siegel.logText()).not.toContain(BYTES.toString('base64'));
  });
});
