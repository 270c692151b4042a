import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalSigner, signJws } from '#pki';
import { AzureWorld } from './azure-deployment.js';
import {
  EventTail,
  entryBytes,
  eventually,
  expectProblem,
  manifestOf,
  OfflineChecks,
  Replica,
  type RunningSiegel,
  SessionStream,
  TENANT,
} from './harness/index.js';
import { boot, deployRotating, granted, streamOf } from './rotating-deployment.js';

jest.setTimeout(120_000);

const FORMER = randomBytes(32).toString('base64url');
const SECRET = randomBytes(32).toString('base64url');
/** Too long to help a test along: whatever comes sooner came by a hint. */
const SLOW_POLL_SECONDS = 3_600;
const HOOK = '/v1/hooks/event-grid';

const topicOf = (vault: string) =>
  `/subscriptions/${randomUUID()}/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/${vault}`;
/** As Microsoft's own sample has it: with spaces where none belong. */
const newVersion = (objectName: string, change: object = {}, vault = 'prod') => ({
  id: randomUUID(),
  topic: topicOf(vault),
  subject: objectName,
  eventType: 'Microsoft.KeyVault.SecretNewVersionCreated',
  eventTime: new Date().toISOString(),
  data: {
    Id: 'x',
    'VaultName ': `${vault} `,
    ObjectType: 'Secret',
    'ObjectName ': ` ${objectName}`,
    Version: ' 1',
  },
  dataVersion: '1',
  metadataVersion: '1',
  ...change,
});
const cloudEvent = (objectName: string, vault = 'prod') => ({
  specversion: '1.0',
  id: randomUUID(),
  source: topicOf(vault),
  type: 'Microsoft.KeyVault.SecretNewVersionCreated',
  time: new Date().toISOString(),
  data: { VaultName: vault, ObjectName: objectName, ObjectType: 'Secret' },
});

describe('a vault that notifies', () => {
  let azure: AzureWorld;
  let siegel: RunningSiegel;
  let replica: Replica;
  let tail: EventTail;
  const hook = (body: unknown, query = `?secret=${SECRET}`, headers: Record<string, string> = {}) =>
    siegel.service.call('POST', `${HOOK}${query}`, {
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  beforeAll(async () => {
    azure = await AzureWorld.start({ vaults: ['prod'] });
    for (const name of ['db', 'api', 'other']) await azure.sdk.secrets.setSecret(name, `first ${name}`);
    const entra = `${azure.fake.authorityHost}/${azure.fake.entra.tenantId}`;
    siegel = await deployRotating(azure, SLOW_POLL_SECONDS, {
      SIEGEL_EVENT_GRID_SECRET_FILE: azure.write('hook.secret', `${FORMER}\n${SECRET}\n`),
      SIEGEL_EVENT_GRID_ISSUER: `https://sts.windows.net/${azure.fake.entra.tenantId}/`,
      SIEGEL_EVENT_GRID_AUDIENCE: 'https://vault.azure.net',
      SIEGEL_EVENT_GRID_JWKS_URL: `${entra}/discovery/v2.0/keys`,
      SIEGEL_EVENT_GRID_CA_FILE: azure.files.caFile,
    });
    await siegel.admin.setManifest(
      TENANT,
      manifestOf({
        db: { secrets: [granted('db')] },
        api: { secrets: [granted('api')] },
        other: { secrets: [granted('other')] },
      }),
      0,
    );
    const vaults = { prod: azure.files.vaultSettings('prod') };
    replica = await Replica.start(siegel, {
      SIEGEL_VAULTS_FILE: azure.write('replica-vaults.json', vaults),
      SIEGEL_ROTATION_POLL_SECONDS: String(SLOW_POLL_SECONDS),
    });
    tail = await siegel.log.tail({});
  });
  afterAll(async () => {
    await replica?.stop();
    await siegel?.stop();
    await azure?.stop();
  });

  it('sends a fresh sealed release to every live session, on every replica, without a new quote', async () => {
    const here = await boot(siegel, 'db');
    const there = await boot(siegel, 'db');
    const streams = [
      await SessionStream.open(siegel, here.enclave, here.token),
      await SessionStream.open(siegel, there.enclave, there.token, { base: replica.url }),
    ];
    const bystander = await streamOf(siegel, 'other');
    for (const stream of [...streams, bystander]) {
      expect(stream.status).toBe(200);
      expect((await stream.release('the first release')).payload.env['VALUE']).toMatch(/^first /);
    }
    // Both replicas have looked at what the manifest grants, so that they know what is new.
    await eventually(
      'a first look',
      () => azure.fake.log.of('secrets/get').filter(({ path }) => path.includes('/db')).length >= 2,
    );
    await tail.next();
    const { properties } = await azure.sdk.secrets.setSecret('db', 'second db');
    expect((await hook([newVersion('db')])).body).toEqual({ accepted: 1, duplicates: 0 });
    const offline = new OfflineChecks(siegel.layout.trust);
    for (const stream of streams) {
      const { response, payload } = await stream.release('the rotated release');
      expect(payload.env['VALUE']).toBe('second db');
      const logged = (await siegel.log.all({ session: response.session, type: 'release.granted' })).at(-1)!;
      offline.promises.verify(response.promise, entryBytes(logged));
      expect(logged.event).toMatchObject({
        data: { grants: [{ objectName: 'db', version: properties.version }] },
      });
    }
    const events = (await tail.next()).filter(({ type }) => type.startsWith('secret.'));
    // The other replica was told that it is logged.
    expect(events).toMatchObject([
      {
        type: 'secret.rotated',
        data: { vault: 'prod', objectName: 'db', version: properties.version, noticedBy: 'hint' },
      },
    ]);
    expect(bystander.waiting).toBe(0);
    for (const stream of [...streams, bystander]) stream.close();
  });

  it('takes a notification once, in either schema, and reads nothing for one that means nothing here', async () => {
    const event = newVersion('api');
    expect((await hook([event])).body).toEqual({ accepted: 1, duplicates: 0 });
    expect((await hook([event])).body).toEqual({ accepted: 0, duplicates: 1 });
    const type = 'application/cloudevents+json; charset=utf-8';
    expect((await hook(cloudEvent('api'), `?secret=${SECRET}`, { 'content-type': type })).status).toBe(200);
    const batch = 'application/cloudevents-batch+json';
    const both = [cloudEvent('api'), cloudEvent('db')];
    expect((await hook(both, `?secret=${SECRET}`, { 'content-type': batch })).body).toEqual({
      accepted: 2,
      duplicates: 0,
    });
    const policy = newVersion('api', { eventType: 'Microsoft.KeyVault.VaultAccessPolicyChanged' });
    expect((await hook([policy])).body).toEqual({ accepted: 0, duplicates: 0 });
  });

  it('shakes hands in both ways', async () => {
    const validation = newVersion('x', {
      eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
      data: { validationCode: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6', validationUrl: 'https://rp.eventgrid' },
    });
    expect((await hook([validation])).body).toEqual({
      validationResponse: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6',
    });
    const origin = { 'webhook-request-origin': 'eventgrid.azure.net', 'webhook-request-rate': '120' };
    const answer = await siegel.service.call('OPTIONS', `${HOOK}?secret=${SECRET}`, { headers: origin });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'webhook-allowed-origin': 'eventgrid.azure.net',
      'webhook-allowed-rate': '120',
    });
    expectProblem(await siegel.service.call('OPTIONS', HOOK, { headers: origin }), 'HOOK_UNAUTHENTICATED');
    expectProblem(await siegel.service.call('OPTIONS', `${HOOK}?secret=${SECRET}`), 'HOOK_EVENT_INVALID');
  });

  it('lets nobody in without the secret or a token of the issuer', async () => {
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const { entra } = azure.fake;
    expect((await hook([newVersion('api')], '', bearer(await azure.sdk.accessToken()))).status).toBe(200);
    expect((await hook([newVersion('api')], `?secret=${FORMER}`)).status).toBe(200);
    const foreign = entra.projectToken('system:serviceaccount:default:default');
    for (const [query, headers] of [
      ['', {}],
      ['?secret=', {}],
      [`?secret=${SECRET.slice(1)}`, {}],
      [`?secret=${SECRET}&secret=${SECRET}`, {}],
      ['', bearer(foreign)],
      ['', bearer('a.b.c')],
      ['', bearer(`${(await azure.sdk.accessToken()).slice(0, -8)}AAAAAAAA`)],
    ] as const) {
      expectProblem(await hook([newVersion('api')], query, headers), 'HOOK_UNAUTHENTICATED');
    }
  });

  it.each([
    ['no JSON', '{', 'REQUEST_MALFORMED'],
    ['no event', [], 'HOOK_EVENT_INVALID'],
    ['too many events', Array.from({ length: 65 }, () => newVersion('db')), 'HOOK_EVENT_INVALID'],
    ['a text', JSON.stringify('text'), 'HOOK_EVENT_INVALID'],
    ['another kind of topic', [newVersion('db', { topic: '/subscriptions/a/b' })], 'HOOK_EVENT_INVALID'],
    ['a name that is none', [newVersion('../x')], 'HOOK_EVENT_INVALID'],
    [
      'data of another vault',
      [newVersion('db', { data: { VaultName: 'else', ObjectName: 'db' } })],
      'HOOK_EVENT_INVALID',
    ],
    ['no data', [newVersion('db', { data: {} })], 'HOOK_EVENT_INVALID'],
    ['another vault', [newVersion('db', {}, 'elsewhere')], 'HOOK_TOPIC_UNKNOWN'],
  ] as const)('refuses %s', async (_name, body, code) => {
    expectProblem(await hook(body), code);
  });

  it('believes no hint on NATS but a fresh one that a key-release has signed', async () => {
    const nats = await siegel.nats('key_release');
    const own = await LocalSigner.fromFile(siegel.layout.key('key-release', 'emitter'));
    const audit = await LocalSigner.fromFile(siegel.layout.key('audit', 'emitter'));
    const now = Math.floor(Date.now() / 1_000);
    const change = {
      v: 1,
      source: randomUUID(),
      iat: now,
      vault: 'prod',
      objectName: 'db',
      objectType: 'object',
    };
    const signed = (content: object, signer = own, typ = 'siegel-vault-change+jwt') =>
      signJws(Buffer.from(JSON.stringify(content)), signer, { typ });
    const good = await signed({ ...change, objectName: 'other' });
    const forged = [
      '',
      '{}',
      'x'.repeat(20_000),
      JSON.stringify(change),
      await signed(change, audit),
      await signed(change, LocalSigner.generate('EdDSA')),
      await signed(change, own, 'other+jwt'),
      await signed({ ...change, iat: now - 120 }),
      await signed({ ...change, iat: now + 120 }),
      await signed({ ...change, more: 1 }),
      await signed({ ...change, objectName: 1 }),
      `${(await signed(change)).slice(0, -4)}AAAA`,
    ];
    // What the tests before have announced is read by both replicas in its own time.
    for (let seen = -1; seen !== azure.fake.log.all().length; await sleep(500))
      seen = azure.fake.log.all().length;
    azure.fake.log.clear();
    const read = () => azure.fake.log.of('secrets/get').map(({ path }) => path.split('/')[2]);
    // In this order over one connection: when the last one has made both replicas read, the others were looked at.
    for (const text of [...forged, good]) nats.publish('siegel.v1.vault.changed', text);
    await eventually('two replicas that read', () => read().length >= 2);
    await sleep(200);
    expect(read()).toEqual(['other', 'other']);
  });
});
