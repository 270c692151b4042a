import { BUCKETS } from '#contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { ClientFiles, DEFAULT_PRINCIPAL, DEFAULT_TENANT, FakeAzure } from './fake-azure/index.js';
import { measured, temporaryFolder, TENANT } from './harness/index.js';
import { certificate, type Identity } from './scone/client-certificate.js';
import { type Answered, SconeDeployment } from './scone/deployment.js';
import { federation, PEER_TOKEN_KEY } from './scone/federation.js';
import { refused as refusedBy } from './scone/refused.js';
import { secondFactors } from './scone/second-factors.js';
import { APP, session } from './scone/sessions.js';

jest.setTimeout(120_000);

describe('SCONE', () => {
  let cas: SconeDeployment;
  let azure: FakeAzure;
  let azureFiles: string;

  beforeAll(async () => {
    azure = await FakeAzure.start({ vaults: ['mine', 'other'] });
    azureFiles = temporaryFolder();
    const { caFile } = new ClientFiles(azure, azureFiles);
    cas = await SconeDeployment.start(
      [
        { session: 'plain', service: 'app' },
        { session: 'tokens', service: 'app', token: { publicKey: PEER_TOKEN_KEY, prefix: 'mr:' } },
      ],
      {
        ...{ authorityHost: azure.authorityHost, disableInstanceDiscovery: true, caFile },
        vaultHosts: { [hostOf('mine')]: { connectAddress: '127.0.0.1' } },
      },
    );
    await cas.post(session('app', APP()));
    await cas.post(session('tokens', APP()));
    // Without a token, that the service would need its identity for.
    await cas.post(session('plain', APP().replace(', WHO: "$$SCONE::who$$"', '')));
  });
  afterAll(async () => {
    await cas?.stop();
    await azure?.close();
    rmSync(azureFiles, { recursive: true, force: true });
  });
  const hostOf = (vault: string): string => new URL(azure.vaultUrl(vault)).host;

  const refused = (attempt: () => Promise<Answered>, status: number, code: string) =>
    refusedBy(cas, attempt, status, code);

  describe('the REST API of a CAS', () => {
    it('curl: posts a file, wants 201', () => {
      writeFileSync(join(cas.folder, 'session.yml'), session('curl'));
      writeFileSync(join(cas.folder, 'ca.pem'), cas.ca);
      const out = execFileSync(
        'curl',
        [
          ...['-s', '--cacert', 'ca.pem', '--cert', 'owner.crt', '--key', 'owner.key'],
          ...['--data-binary', '@session.yml', '-XPOST', '-w', '\n%{http_code}', `${cas.url}/session`],
        ],
        { cwd: cas.folder, encoding: 'utf8' },
      );
      expect(out).toMatch(/^\{"hash":"[0-9a-f]{64}"\}\n201$/);
      const tls12 = [
        '-s',
        '--cacert',
        'ca.pem',
        '--tls-max',
        '1.2',
        `${cas.url}/v1/values/session=app,secret=answer`,
      ];
      expect(execFileSync('curl', tls12, { cwd: cas.folder, encoding: 'utf8' })).toBe(
        '{"kind":"string","value":"42","expires":null,"renew":null}',
      );
    });

    it.each([
      ['iexec (Java): application/octet-stream, reads .hash', '/session', 'application/octet-stream'],
      ['axios: form type, reads .hash', '/session', 'application/x-www-form-urlencoded'],
      ['SPIRE plugin (Go): application/text', '/v1/sessions', 'application/text'],
      ['python: no type at all', '/v1/sessions', undefined],
    ])('%s', async (name, path, type) => {
      const text = session(`shape-${name.replace(/[^a-z]/gi, '')}`);
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      const { status, body } = await cas.call('POST', path, text, cas.owner, headers);
      expect([status, body]).toEqual([201, { hash: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    });

    it('gives sessions back, older versions by their hash, and logs each act', async () => {
      await cas.events();
      const first = await cas.post(session('history'));
      const newer = session('history', 'salt: 000102030405060708090a0b0c0d0e0f', first);
      const second = await cas.post(newer);
      const of = (path: string) => cas.call('GET', path, undefined);
      expect((await of('/session/history')).text).toBe(newer);
      expect((await of('/v1/sessions/history')).body).toEqual({ session: newer, hash: second });
      expect((await of(`/v1/sessions/history?hash=${first}`)).body).toEqual({
        session: session('history'),
        hash: first,
      });
      const events = await cas.events();
      expect(events.map(({ type }) => type)).toEqual([
        ...['scone.session', 'scone.session', 'scone.read', 'scone.read', 'scone.read'],
      ]);
      expect(events[1]!.data).toMatchObject({
        session: 'history',
        version: 2,
        hash: second,
        predecessor: first,
      });
    });

    it('anybody reads public values, and no others', async () => {
      const { body } = await cas.anonymous('/v1/values/session=app');
      const { values } = body as { values: Record<string, { value: string }> };
      expect(Object.keys(values)).toEqual(['ca', 'answer']);
      expect(new X509Certificate(values['ca']!.value).ca).toBe(true);
      const secret = '/v1/values/session=app,secret=password';
      const event = await refused(() => cas.anonymous(secret), 404, 'SCONE_VALUE_NOT_PUBLIC');
      expect(event.data).toMatchObject({ session: 'app', actor: 'anonymous' });
      expect((await cas.anonymous(secret)).body).toEqual({
        msg: [
          "Failed to read value 'password' of '/session=app' requested by a public client",
          'Secret does not exist or is not visible for a public client',
        ],
      });
    });

    it('of two racing updates exactly one is 201', async () => {
      const hash = await cas.post(session('race'));
      for (let round = 0, current = hash; round < 3; round++) {
        const answers = await Promise.all(
          ['1', '2'].map((digit) =>
            cas.call('POST', '/session', session('race', `salt: "${digit.repeat(32)}"`, current)),
          ),
        );
        expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
        current = (answers.find(({ status }) => status === 201)!.body as { hash: string }).hash;
        expect((await cas.call('GET', '/v1/sessions/race', undefined)).body).toMatchObject({ hash: current });
      }
    });

    it('refuses, with one event each', async () => {
      const stranger = await certificate('stranger');
      const post = (text: string, identity?: Identity) => () => cas.call('POST', '/session', text, identity);
      await refused(post(session('app')), 409, 'SCONE_PREDECESSOR_MISSING');
      expect((await post(session('app'))()).body).toEqual({
        msg: ['Session already exists, please specify predecessor hash'],
      });
      await refused(post(session('app', '', 'ab'.repeat(32))), 409, 'SCONE_PREDECESSOR_STALE');
      await refused(post(session('new', '', 'ab'.repeat(32))), 409, 'SCONE_PREDECESSOR_STALE');
      await refused(post(session('foreign'), stranger), 403, 'SCONE_ACCESS_DENIED');
      await refused(post(session('app/child'), stranger), 403, 'SCONE_ACCESS_DENIED');
      await refused(post(session('app', '', 'ab'.repeat(32)), stranger), 403, 'SCONE_ACCESS_DENIED');
      await refused(post('name: a'), 400, 'SCONE_SESSION_INVALID');
      await refused(post('}{'), 400, 'SCONE_SESSION_INVALID');
      await refused(
        post(session('x', 'secrets: [{ name: a, kind: x509, issuer: b }]')),
        400,
        'SCONE_SECRET_UNKNOWN',
      );
      await refused(post('x'.repeat(300_000)), 413, 'REQUEST_TOO_LARGE');
      const none = { cert: '', key: '' } as Identity;
      await refused(
        () => cas.call('POST', '/session', session('anonymous'), none),
        401,
        'SCONE_CLIENT_UNKNOWN',
      );
      await refused(() => cas.call('GET', '/session/nowhere', undefined), 404, 'SCONE_SESSION_UNKNOWN');
      await refused(() => cas.call('GET', '/session/app', undefined, stranger), 404, 'SCONE_SESSION_UNKNOWN');
      expect((await cas.anonymous('/session/app')).body).toEqual({ msg: ['Session not found'] });
      await refused(() => cas.call('GET', '/v1/version', undefined), 404, 'SCONE_PATH_UNKNOWN');
    });
  });

  describe('a service of a session', () => {
    const ASK = { session: 'app', service: 'app', arguments: ['host', 'one'] };

    it('gets its release by a quote over the certificate of its channel', async () => {
      await cas.events();
      const { status, body } = await cas.attest(await certificate('enclave'), ASK);
      expect(status).toBe(200);
      const { release, simulated, promise } = body as {
        release: { argv: string[]; environment: Record<string, string>; files: Record<string, string>[] };
        simulated: boolean;
        promise: object;
      };
      expect([simulated, promise]).toEqual([true, expect.anything()]);
      const [app, option, password, host] = release.argv;
      expect([app, option, host]).toEqual(['app', '--password', 'one']);
      expect(password).toMatch(/^[\x20-\x7e]{24}$/);
      expect(release.environment).toMatchObject({
        DB: 'from the vault',
        SEED: expect.stringMatching(/^[A-Z2-7]{26}$/),
      });
      const claims = Buffer.from(release.environment['WHO']!.split('.')[1]!, 'base64url').toString();
      expect(JSON.parse(claims)).toMatchObject({ enclave: measured('app') });
      expect(release.files.map(({ path, mode }) => `${path} ${mode}`)).toEqual([
        '/tls/key.pem 0400',
        '/tls/crt.pem 0700',
      ]);
      const key = Buffer.from(release.files[0]!['contentBase64']!, 'base64').toString();
      const chain = Buffer.from(release.files[1]!['contentBase64']!, 'base64').toString();
      const leaf = new X509Certificate(`-----BEGIN${chain.split('-----BEGIN')[2]!}`);
      expect(createPublicKey(key).equals(leaf.publicKey)).toBe(true);
      const events = await cas.events();
      expect(events).toMatchObject([
        {
          ...{
            type: 'attestation.granted',
            workload: 'app/app',
            mrenclave: measured('app'),
            simulated: true,
          },
          data: {
            protocol: 'scone',
            binding: 'sha512-cert',
            grants: [{ objectName: 'db-password', vault: 'demo' }],
          },
        },
      ]);
      expect(JSON.stringify(events)).not.toContain(password);
      const again = (await cas.attest(await certificate('again'), ASK)).body as {
        release: { argv: string[] };
      };
      expect(again.release.argv[2]).toBe(password);
    });

    it('may come by the range of a signer', async () => {
      const range = (isvSvn: number) => ({ mrsigner: measured('range signer'), isvSvn, isvProdId: 1 });
      const enclave = await certificate('range');
      expect((await cas.attest(enclave, ASK, 'other', range(3))).status).toBe(200);
      await refused(() => cas.attest(enclave, ASK, 'other', range(4)), 403, 'ISV_SVN_TOO_HIGH');
      await refused(() => cas.attest(enclave, ASK, 'other', range(1)), 403, 'ISV_SVN_TOO_LOW');
    });

    it('is refused, with one event each', async () => {
      const enclave = await certificate('enclave');
      const other = createHash('sha512').update('another certificate').digest();
      const ask =
        (fields: object, word = 'app', change = {}) =>
        () =>
          cas.attest(enclave, { ...ASK, ...fields }, word, change);
      await refused(ask({}, 'unknown'), 403, 'MEASUREMENT_NOT_ALLOWED');
      await refused(ask({}, 'app', { debug: true }), 403, 'DEBUG_ENCLAVE');
      await refused(ask({}, 'app', { reportData: other }), 403, 'BINDING_MISMATCH');
      await refused(ask({ binding: 'sha256-spki' }), 403, 'BINDING_MISMATCH');
      await refused(ask({ service: 'nobody' }), 403, 'SCONE_SERVICE_UNKNOWN');
      await refused(ask({ session: 'nowhere' }), 403, 'SCONE_SESSION_UNKNOWN');
      await refused(ask({ arguments: [] }), 403, 'SCONE_SECRET_UNKNOWN');
      await refused(ask({ evidence: 'AAAA' }), 400, 'QUOTE_TOO_SHORT');
      await refused(ask({ extra: 1 }), 400, 'SCONE_SESSION_INVALID');
    });

    it('is not served by a policy that would be weaker here, or on another machine', async () => {
      const enclave = await certificate('enclave');
      await cas.post(session('maa', APP('attestation: { mode: maa }')));
      await refused(() => cas.attest(enclave, { ...ASK, session: 'maa' }), 403, 'SCONE_POLICY_NOT_SERVED');
      await cas.post(session('none', APP('attestation: { mode: none }')));
      await refused(() => cas.attest(enclave, { ...ASK, session: 'none' }), 403, 'SCONE_POLICY_NOT_SERVED');
      const pinned = (id: string) =>
        APP().replace('command:', `platforms: ["INTEL_QE_ID:${id}"]\n    command:`);
      await cas.post(session('pinned', pinned('ab'.repeat(16))));
      await refused(() => cas.attest(enclave, { ...ASK, session: 'pinned' }), 403, 'PLATFORM_NOT_ALLOWED');
      // The identifier that the quote itself has in its header.
      const quote = cas.siegel.machines.sgx.platform({ name: 'demo' }).quote({});
      await cas.post(session('home', pinned(quote.subarray(28, 44).toString('hex').toUpperCase())));
      expect((await cas.attest(enclave, { ...ASK, session: 'home' })).status).toBe(200);
    });

    it('gets secrets of sessions that export them to its own, and certificates that are made anew in time', async () => {
      await cas.post(
        session(
          'giver',
          'secrets: [{ name: a, kind: ascii, value: given, export: [{ session: taker }] }, { name: b, kind: ascii }]',
        ),
      );
      const taking = (secret: string) => `
secrets:
  - { name: got, import: { session: ../giver, secret: ${secret} } }
  - { name: brief, kind: x509, valid_for: 3s }
services:
  - { name: app, mrenclaves: [${measured('app')}], environment: { GOT: $$SCONE::got$$, CRT: "$$SCONE::brief:crt$$" } }`;
      const enclave = await certificate('enclave');
      const ask = async () => {
        const { body } = await cas.attest(enclave, { ...ASK, session: 'taker' });
        return (body as { release: { environment: Record<string, string> } }).release.environment;
      };
      const hash = await cas.post(session('taker', taking('a').replace('../', './')));
      const first = await ask();
      expect(first['GOT']).toBe('given');
      await new Promise((resolve) => setTimeout(resolve, 2_300));
      await cas.events();
      expect((await ask())['CRT']).not.toBe(first['CRT']);
      expect((await cas.events())[0]).toMatchObject({
        type: 'scone.session',
        data: { renewed: ['brief'], hash },
      });
      await cas.post(session('taker', taking('b').replace('../', '/'), hash));
      await refused(() => cas.attest(enclave, { ...ASK, session: 'taker' }), 403, 'SCONE_SECRET_UNKNOWN');
    });

    it('has tokens of Entra, and by them what lies encrypted in vaults that are open to sessions', async () => {
      const { clientId, clientSecret } = DEFAULT_PRINCIPAL;
      const key = randomBytes(32);
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const ciphertext = Buffer.concat([cipher.update('hidden'), cipher.final()]);
      const header = Buffer.from('00a100020006', 'hex');
      const envelope = Buffer.concat([header, iv, ciphertext, cipher.getAuthTag()]);
      for (const vault of ['mine', 'other'])
        azure.vaults.get(vault)!.secrets.seed('db', envelope.toString('base64'));
      const of = (vault: string, secret = clientSecret!, opening = key.toString('hex')) => `
secrets:
  - { name: aad, kind: aad-token, tenant_id: ${DEFAULT_TENANT}, client_id: ${clientId}, application_secret: ${secret} }
  - { name: key, kind: binary, value: "${opening}" }
  - { name: db, import_akv: { vault: "${hostOf(vault)}", decryption_key: $$SCONE::key$$ } }
services:
  - { name: app, mrenclaves: [${measured('app')}], environment: { T: $$SCONE::aad$$, DB: $$SCONE::db$$ } }`;
      const enclave = await certificate('enclave');
      const ask = (name: string) => () => cas.attest(enclave, { ...ASK, session: name });
      await cas.post(session('azure', of('mine')));
      await cas.events();
      const { status, body } = await ask('azure')();
      expect(status).toBe(200);
      const { T, DB } = (body as { release: { environment: Record<string, string> } }).release.environment;
      expect([DB, azure.entra.authenticated(T!)?.principal.clientId]).toEqual(['hidden', clientId]);
      const events = await cas.events();
      expect(events).toMatchObject([
        { type: 'attestation.granted', data: { grants: [{ vault: 'entra' }, { vault: hostOf('mine') }] } },
      ]);
      for (const hidden of [T!, 'hidden', clientSecret!])
        expect(JSON.stringify(events)).not.toContain(hidden);
      await cas.post(session('azure-other', of('other')));
      await refused(ask('azure-other'), 403, 'SCONE_SECRET_NOT_SERVED');
      await cas.post(session('azure-wrong', of('mine', 'wrong')));
      await refused(ask('azure-wrong'), 403, 'SCONE_IDENTITY_REFUSED');
      await cas.post(session('azure-key', of('mine', clientSecret, 'ab'.repeat(32))));
      await refused(ask('azure-key'), 403, 'SCONE_ENVELOPE_INVALID');
    });
  });

  secondFactors(() => cas);
  federation(() => cas);

  it('NATS neither reads sessions nor writes them', async () => {
    const first = await cas.post(
      session('sealed', 'secrets: [{ name: a, kind: ascii, value: very-secret }]'),
    );
    const kv = await new Kvm(jetstream(await cas.siegel.nats('key_release'))).open(BUCKETS.sconeSessions);
    const keyOf = (name: string) => `${TENANT}.${createHash('sha256').update(name).digest('hex')}`;
    const old = (await kv.get(keyOf('sealed')))!.value;
    expect(Buffer.from(old).toString('latin1')).not.toContain('very-secret');
    const get = async () => (await cas.call('GET', '/v1/sessions/sealed', undefined)).status;
    await cas.post(session('sealed', '', first));
    expect(await get()).toBe(200);
    // The older version again, validly sealed; one of another session; garbage; nothing.
    for (const value of [old, (await kv.get(keyOf('app')))!.value, Buffer.from('garbage')]) {
      await kv.put(keyOf('sealed'), value);
      expect(await get()).toBe(503);
    }
    await kv.delete(keyOf('sealed'));
    expect(await get()).toBe(503);
  });

  it('a session outlives SIGKILL of key-release', async () => {
    const hash = ((await cas.call('GET', '/v1/sessions/app', undefined)).body as { hash: string }).hash;
    const before = cas.siegel.pids()['key-release']!;
    process.kill(before, 'SIGKILL');
    for (let tries = 0; ; tries++) {
      const found = await cas.call('GET', '/v1/sessions/app', undefined).catch(() => undefined);
      if (found?.status === 200) {
        expect(found.body).toMatchObject({ hash });
        return;
      }
      if (tries > 200) throw new Error(`no answer: ${found?.text ?? 'nothing'}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});
