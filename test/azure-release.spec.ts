import { createPublicKey, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readCertificateBundle } from '#vault';
import { DEFAULT_PRINCIPAL } from './fake-azure/index.js';
import { AzureWorld, UNCACHED } from './azure-deployment.js';
import { manifestOf, Refusals, type RunningSiegel, TENANT } from './harness/index.js';

jest.setTimeout(180_000);

/** What the role "Key Vault Secrets User" allows, and nothing else. */
const READER = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0002',
  federatedSubject: DEFAULT_PRINCIPAL.federatedSubject!,
  permissions: ['secrets/get'],
};
const PASSWORD = randomBytes(24).toString('base64url');
const BINARY = randomBytes(19_200);
const LONGEST = 'x'.repeat(25_600);
const SELF_SIGNED = { issuerName: 'Self', subject: 'CN=edge', keyType: 'EC', keyCurveName: 'P-256' } as const;
const HOUR = 3_600_000;

const secret = (objectName: string, more: object = {}) => ({
  vault: 'prod',
  objectName,
  objectType: 'secret',
  as: 'file',
  path: `/run/secrets/${objectName}`,
  ...more,
});
const variable = (objectName: string, more: object = {}) => ({
  vault: 'prod',
  objectName,
  objectType: 'secret',
  as: 'env',
  objectAlias: 'VALUE',
  ...more,
});

let azure: AzureWorld;
let siegel: RunningSiegel;
let pinned: string;

beforeAll(async () => {
  azure = await AzureWorld.start({ vaults: ['prod'], principals: [DEFAULT_PRINCIPAL, READER] });
  const { secrets, certificates } = azure.sdk;
  const old = await secrets.setSecret('db', 'the old password');
  pinned = old.properties.version!;
  await secrets.setSecret('db', PASSWORD);
  await secrets.setSecret('disabled', 'v', { enabled: false });
  await secrets.setSecret('early', 'v', { notBefore: new Date(Date.now() + HOUR) });
  await secrets.setSecret('late', 'v', { expiresOn: new Date(Date.now() - HOUR) });
  await secrets.setSecret('binary', BINARY.toString('base64'), { contentType: 'application/octet-stream' });
  await secrets.setSecret('longest', LONGEST);
  const renewals = { intervalInMs: 20 };
  const policy = { ...SELF_SIGNED, contentType: 'application/x-pkcs12' as const };
  await (await certificates.beginCreateCertificate('edge', policy, renewals)).pollUntilDone();
  const asPem = { ...SELF_SIGNED, contentType: 'application/x-pem-file' as const };
  await (await certificates.beginCreateCertificate('edge-pem', asPem, renewals)).pollUntilDone();
  const sealed = { ...asPem, exportable: false };
  await (await certificates.beginCreateCertificate('sealed', sealed, renewals)).pollUntilDone();

  siegel = await azure.deploy({
    prod: { ...azure.files.vaultSettings('prod', { clientId: READER.clientId }), reader: UNCACHED },
  });
  const workload = (...secretList: object[]) => ({ secrets: secretList });
  await siegel.admin.setManifest(
    TENANT,
    manifestOf({
      latest: workload(variable('db')),
      pinned: workload(variable('db', { objectVersion: pinned })),
      disabled: workload(variable('disabled')),
      early: workload(variable('early')),
      late: workload(variable('late')),
      'late-allowed': workload(variable('late', { allowExpired: true })),
      absent: workload(variable('absent')),
      nowhere: workload({ ...variable('db'), vault: 'staging' }),
      sealed: workload(secret('sealed', { objectType: 'cert' })),
      text: workload(variable('binary')),
      sizes: workload(variable('longest'), secret('binary')),
      edge: workload(
        secret('edge', { objectType: 'cert', path: '/run/tls/edge.pem' }),
        secret('edge', { path: '/run/tls/edge.pfx' }),
        secret('edge-pem', { objectType: 'cert' }),
        secret('edge-pem', { path: '/run/secrets/as-stored.pem' }),
      ),
      flood: workload(
        ...Array.from({ length: 30 }, (_, at) => secret('longest', { path: `/run/secrets/${at}` })),
      ),
    }),
    0,
  );
});
afterAll(async () => {
  await siegel?.stop();
  await azure?.stop();
  if (azure) rmSync(azure.dir, { recursive: true, force: true });
});

const boot = (word: string) => siegel.machines.enclave(word).attest(siegel.service);
const answer = (word: string) =>
  siegel.service.post('/v1/attest', siegel.machines.enclave(word).requestBody());
const eventOf = async (session: string) => {
  const [logged] = await siegel.log.all({ session, type: 'attestation.granted' });
  const { event } = logged!;
  if (event.type !== 'attestation.granted') throw new Error('not a grant');
  return event;
};
const fileOf = (boot: { payload: { files: { path: string; content: string }[] } }, path: string) =>
  Buffer.from(boot.payload.files.find((file) => file.path === path)!.content, 'base64');

describe('a release from Key Vault', () => {
  it('the event names vault, object, version and x-ms-request-id, and so joins the log of the vault', async () => {
    azure.fake.log.clear();
    const { response, payload } = await boot('latest');
    expect(payload.env).toEqual({ VALUE: PASSWORD });
    const { data } = await eventOf(response.session);
    const { version } = (await azure.sdk.secrets.getSecret('db')).properties;
    expect(data.grants).toEqual([
      {
        alias: 'VALUE',
        as: 'env',
        vault: 'prod',
        objectName: 'db',
        objectType: 'secret',
        version,
        requestId: expect.any(String),
      },
    ]);
    const served = azure.fake.log.all().filter(({ requestId }) => requestId === data.grants[0]!.requestId);
    expect(served).toEqual([
      expect.objectContaining({
        action: 'secrets/get',
        vault: 'prod',
        path: '/secrets/db/',
        status: 200,
        clientId: READER.clientId,
      }),
    ]);
    expect(JSON.stringify(data)).not.toContain(PASSWORD);
  });

  it('the version is the one that the manifest pins, or the latest', async () => {
    const { response, payload } = await boot('pinned');
    expect(payload.env).toEqual({ VALUE: 'the old password' });
    expect((await eventOf(response.session)).data.grants[0]).toMatchObject({ version: pinned });
  });

  const refused: [string, string, 'SECRET_UNUSABLE' | 'SECRET_NOT_FOUND', string][] = [
    ['disabled', 'SECRET_DISABLED', 'SECRET_UNUSABLE', 'disabled'],
    ['early', 'SECRET_NOT_YET_VALID', 'SECRET_UNUSABLE', 'not valid before'],
    ['late', 'SECRET_EXPIRED', 'SECRET_UNUSABLE', 'expired at'],
    ['absent', 'SECRET_NOT_FOUND', 'SECRET_NOT_FOUND', 'absent'],
    ['nowhere', 'VAULT_UNKNOWN', 'SECRET_NOT_FOUND', 'no vault has the name "staging"'],
    ['sealed', 'CERTIFICATE_NOT_EXPORTABLE', 'SECRET_UNUSABLE', 'prod/sealed'],
    ['text', 'SECRET_NOT_TEXT', 'SECRET_UNUSABLE', 'grant it as a file'],
    ['flood', 'RELEASE_TOO_LARGE', 'SECRET_UNUSABLE', 'at most'],
  ];
  it.each(refused)('%s: denied with %s as the reason in the log', async (word, reason, code, sentence) => {
    const refusals = await Refusals.of(siegel, PASSWORD);
    const event = await refusals.expectDenied(await answer(word), code, reason);
    expect(event.reason!.message).toContain(sentence);
    if (/^(early|late|disabled)$/.test(word)) {
      // The refusal can be joined with the vault's log as well: it did answer, since Key Vault enforces no dates.
      const [, requestId] = /x-ms-request-id ([0-9a-f-]{36})/.exec(event.reason!.message) ?? [];
      expect(azure.fake.log.all().map((entry) => entry.requestId)).toContain(requestId);
    }
  });

  it('an expired secret is released where the manifest allows it, by name', async () => {
    expect((await boot('late-allowed')).payload.env).toEqual({ VALUE: 'v' });
  });

  it('25,600 bytes of text and 19,200 random bytes arrive as they are', async () => {
    const release = await boot('sizes');
    expect(release.payload.env['VALUE']).toBe(LONGEST);
    expect(fileOf(release, '/run/secrets/binary').equals(BINARY)).toBe(true);
  });

  it('PEM and PKCS#12 arrive: as the pair in PEM for "cert", as the bytes that lie there for "secret"', async () => {
    const release = await boot('edge');
    const details = { objectName: 'edge' };
    for (const [path, stored, type] of [
      ['/run/tls/edge.pem', '/run/tls/edge.pfx', 'application/x-pkcs12'],
      ['/run/secrets/edge-pem', '/run/secrets/as-stored.pem', 'application/x-pem-file'],
    ] as const) {
      const pem = fileOf(release, path).toString();
      const leaf = new X509Certificate(pem);
      expect(leaf.subject).toBe('CN=edge');
      expect(leaf.checkPrivateKey(createPrivateKey(pem))).toBe(true);
      const bundle = readCertificateBundle(fileOf(release, stored), type, details);
      expect(bundle.sha256).toBe(leaf.fingerprint256.replaceAll(':', '').toLowerCase());
    }
  });

  it('certificate and key are never torn while the certificate is renewed in a loop', async () => {
    let renewing = true;
    let renewals = 0;
    const loop = (async () => {
      const policy = { ...SELF_SIGNED, contentType: 'application/x-pkcs12' as const };
      while (renewing) {
        const poller = await azure.sdk.certificates.beginCreateCertificate('edge', policy, {
          intervalInMs: 10,
        });
        await poller.pollUntilDone();
        renewals++;
      }
    })();
    const versions = new Set<string>();
    try {
      for (let round = 0; round < 60 && (round < 10 || versions.size < 6); round++) {
        const releases = await Promise.all(Array.from({ length: 4 }, () => boot('edge')));
        for (const release of releases) {
          const pem = fileOf(release, '/run/tls/edge.pem').toString();
          const leaf = new X509Certificate(pem);
          expect(leaf.checkPrivateKey(createPrivateKey(pem))).toBe(true);
          const bundle = readCertificateBundle(fileOf(release, '/run/tls/edge.pfx'), 'application/x-pkcs12', {
            objectName: 'edge',
          });
          // Two entries of one object: read in two requests, of one version all the same.
          expect(bundle.sha256).toBe(leaf.fingerprint256.replaceAll(':', '').toLowerCase());
          expect(createPublicKey(bundle.privateKeyPem).equals(leaf.publicKey)).toBe(true);
          const { data } = await eventOf(release.response.session);
          const ofEdge = data.grants.filter(({ objectName }) => objectName === 'edge');
          expect(new Set(ofEdge.map(({ version }) => version)).size).toBe(1);
          versions.add(ofEdge[0]!.version);
        }
      }
    } finally {
      renewing = false;
      await loop;
    }
    expect(renewals).toBeGreaterThanOrEqual(versions.size - 1);
    expect(versions.size).toBeGreaterThan(2);
    const asked = azure.fake.log.of('secrets/get').map(({ path }) => path);
    for (const version of versions) expect(asked).toContain(`/secrets/edge/${version}`);
  });
});

describe('administration of a vault that key-release may only read', () => {
  it('says what the vault said and what to do', async () => {
    const path = `/v1/tenants/${TENANT}/vaults/prod/secrets`;
    const listed = await siegel.adminCall('GET', path);
    expect(listed.body).toMatchObject({
      code: 'VAULT_DENIED',
      detail: expect.stringMatching(/^VAULT_FORBIDDEN: .*Key Vault Secrets User/s),
    });
    const json = { 'content-type': 'application/json' };
    const written = await siegel.adminCall('PUT', `${path}/new`, json, JSON.stringify({ value: 'djE=' }));
    expect(written.body).toMatchObject({ code: 'VAULT_DENIED' });
  });
});

describe('names are validated before anything is in force', () => {
  const problemsOf = async (entry: object): Promise<string[]> => {
    const { status, body } = await siegel.adminCall(
      'PUT',
      `/v1/tenants/${TENANT}/manifest`,
      { 'content-type': 'application/yaml', 'if-match': '"1"' },
      manifestOf({ w: { secrets: [entry] } }),
    );
    const { code, problems } = body as { code: string; problems: { code: string; suggestion?: string }[] };
    expect({ status, code }).toEqual({ status: 400, code: 'MANIFEST_INVALID' });
    return problems.map((problem) => `${problem.code} ${problem.suggestion ?? ''}`.trim());
  };

  it('object names, versions, aliases and keys that cannot leave', async () => {
    expect(await problemsOf(secret('db_password'))).toEqual([
      expect.stringMatching(/^OBJECT_NAME_INVALID/) as unknown as string,
    ]);
    expect(await problemsOf(secret('db', { objectVersion: '1' }))).toEqual([
      expect.stringMatching(/^OBJECT_VERSION_INVALID/) as unknown as string,
    ]);
    expect(await problemsOf(secret('db', { objectType: 'key' }))).toEqual(['KEY_NOT_EXPORTABLE secret']);
  });
});
