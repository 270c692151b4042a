import { SUBJECTS } from '#contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { renameSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { AuditDeployment, TestEmitter, until } from './audit-deployment.js';
import { AUDIENCE, DIRECTORY, OidcIssuer } from './identity/oidc-issuer.js';
import { type Leaf, TestCa } from './identity/test-certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-access-'));
const file = (name: string) => join(folder, name);
const ids: Record<'default' | 'other', string> = { default: '', other: '' };
let serverCa: TestCa;
let clients: TestCa;
let issuer: OidcIssuer;
let revoked: Leaf;
let deployment: AuditDeployment;
const agents: Agent[] = [];

/** A client of the API, with a certificate or without. */
function client(leaf?: Leaf) {
  const agent = new Agent({
    connect: { ca: serverCa.pem, ...(leaf ? { cert: leaf.certPem, key: leaf.keyPem } : {}) },
  });
  agents.push(agent);
  return async (path: string, token?: string, method: 'GET' | 'DELETE' = 'GET') => {
    const { statusCode, body } = await request(`${deployment.url}${path}`, {
      dispatcher: agent,
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const text = await body.text();
    return { status: statusCode, text, json: <T>() => JSON.parse(text) as T };
  };
}
const anonymous = () => client();
const tenantsIn = (text: string) => [
  ...new Set(
    (JSON.parse(text) as { events: { event: { tenant: string } }[] }).events.map(({ event }) => event.tenant),
  ),
];

beforeAll(async () => {
  [serverCa, clients] = await Promise.all([TestCa.create('CN=Servers'), TestCa.create('CN=Clients')]);
  issuer = await OidcIssuer.start(serverCa);
  const server = await serverCa.server();
  revoked = await clients.leaf({ san: [{ type: 'url', value: 'spiffe://shop/auditor' }] });
  const files = {
    'server.pem': server.certPem,
    'server.key': server.keyPem,
    'servers.pem': serverCa.pem,
    'clients.pem': clients.pem,
    'clients.crl': await clients.revocationList([revoked.serial]),
    'access.json': JSON.stringify({
      embeddedToken: false,
      oidc: [
        {
          issuer: issuer.issuer,
          audience: AUDIENCE,
          caFile: 'servers.pem',
          directories: [DIRECTORY],
          tenants: 'all',
          roles: {
            auditor: { role: 'auditor' },
            operator: { role: 'operator' },
            'Other.Auditor': { role: 'auditor', tenants: ['other'] },
          },
        },
      ],
      mtls: {
        clientCaFile: 'clients.pem',
        crlFile: 'clients.crl',
        certificates: [
          { san: 'uri:spiffe://shop/auditor', roles: ['auditor'], tenants: ['default'] },
          { subject: { CN: 'ops' }, roles: ['operator'], tenants: 'all' },
        ],
      },
    }),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(file(name), content, { mode: 0o600 });
  deployment = new AuditDeployment({
    SIEGEL_AUDIT_ACCESS_FILE: file('access.json'),
    SIEGEL_AUDIT_TLS_CERT_FILE: file('server.pem'),
    SIEGEL_AUDIT_TLS_KEY_FILE: file('server.key'),
    SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '200',
  });
  await deployment.start();
  const requests = await deployment.requests();
  const emitter = new TestEmitter(deployment.emitterKey);
  for (const tenant of ['default', 'other'] as const) {
    const { id, entry } = emitter.event({ tenant });
    ids[tenant] = id;
    await requests.request(SUBJECTS.auditAppend, entry, 5_000);
  }
}, 60_000);
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await deployment.close();
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

describe('tokens of an issuer', () => {
  it.each(['/v1/events', '/v1/events/counts', '/v1/events/export'])(
    'let an auditor read %s',
    async (path) => {
      const { status } = await anonymous()(path, await issuer.token());
      expect(status).toBe(200);
    },
  );

  it('show entries to auditors, and to operators not', async () => {
    const get = anonymous();
    await until(async () => (await get('/v1/log/checkpoint')).status === 200, 5_000, 'no checkpoint');
    const size = (await get('/v1/log/checkpoint')).text.split('\n')[1];
    const path = `/v1/log/tile/entries/000.p/${size}`;
    expect((await get(path, await issuer.token())).status).toBe(200);
    const refused = await get(path, await issuer.token({ roles: ['operator'] }));
    expect([refused.status, refused.json<{ code: string }>().code]).toEqual([403, 'ADMIN_FORBIDDEN']);
    expect((await get(path)).status).toBe(401);
  });

  it.each<[string, () => Promise<string> | string]>([
    ['an expired one', () => issuer.token({ exp: 1_000 })],
    ['one for another audience', () => issuer.token({ aud: 'api://other' })],
    ['one of another issuer', () => issuer.token({ iss: 'https://evil.example/' })],
    ['one of another directory', () => issuer.token({ tid: 'other' })],
    ['one without a signature', () => issuer.unsigned()],
    ['one signed with the public key as a secret', () => issuer.confused()],
    ['one by an unknown key', () => issuer.token({}, { kid: 'unknown' })],
    ['no token at all', () => 'x'],
    ['the embedded token, which is off', () => 'a'.repeat(43)],
  ])('do not count: %s', async (_, make) => {
    const { status, json } = await anonymous()('/v1/events', await make());
    expect([status, json<{ code: string }>().code]).toEqual([401, 'ADMIN_UNAUTHENTICATED']);
  });

  it.each<[string, unknown]>([
    ['no role', undefined],
    ['roles that mean nothing here', ['admin', 'Reader']],
  ])('with %s let nobody in', async (_, roles) => {
    const { status, json } = await anonymous()('/v1/events', await issuer.token({ roles }));
    expect([status, json<{ code: string }>().code]).toEqual([403, 'ADMIN_FORBIDDEN']);
  });

  it('for one tenant show nothing of another', async () => {
    const get = anonymous();
    const token = await issuer.token({ roles: ['Other.Auditor'] });
    expect(tenantsIn((await get('/v1/events?limit=500', token)).text)).toEqual(['other']);
    expect((await get('/v1/events?tenant=default', token)).status).toBe(403);
    expect((await get(`/v1/events/${ids.default}`, token)).status).toBe(404);
    expect((await get('/v1/log/tile/entries/000.p/1', token)).status).toBe(403);
  });
});

describe('client certificates', () => {
  const auditor = () => clients.leaf({ san: [{ type: 'url', value: 'spiffe://shop/auditor' }] });

  it('show what their names are mapped to, and nothing of another tenant', async () => {
    const get = client(await auditor());
    const all = await get('/v1/events?limit=500');
    expect(all.status).toBe(200);
    expect(tenantsIn(all.text)).toEqual(['default']);
    expect((await get('/v1/events?tenant=default')).status).toBe(200);
    expect((await get('/v1/events?tenant=other')).status).toBe(403);
    expect((await get('/v1/events/stream?tenant=other')).status).toBe(403);
    expect((await get('/v1/events/counts?tenant=other')).status).toBe(403);
    expect((await get(`/v1/events/${ids.default}`)).status).toBe(200);
    expect((await get(`/v1/events/${ids.other}`)).status).toBe(404);
    const exported = (await get('/v1/events/export')).text.trimEnd().split('\n');
    expect(exported.every((line) => line.includes('"tenant":"default"'))).toBe(true);
    const counts = (await get('/v1/events/counts?by=tenant')).json<{ counts: { value: string }[] }>();
    expect(counts.counts.map(({ value }) => value)).toEqual(['default']);
    expect((await get('/v1/logs/other/tile/entries/000.p/1')).status).toBe(403);
  });

  it('count by an attribute of the subject', async () => {
    const get = client(await clients.leaf({ subject: 'CN=ops, O=Shop' }));
    expect(tenantsIn((await get('/v1/events?limit=500')).text).sort()).toEqual(['default', 'other']);
  });

  it.each<[string, () => Promise<Leaf>]>([
    ['of another authority', async () => (await TestCa.create('CN=Clients')).leaf({ subject: 'CN=ops' })],
    ['that expired', () => clients.leaf({ subject: 'CN=ops', notAfter: new Date(Date.now() - 60_000) })],
    [
      'that begins later',
      () => clients.leaf({ subject: 'CN=ops', notBefore: new Date(Date.now() + 600_000) }),
    ],
    ['for servers', () => clients.leaf({ subject: 'CN=ops', usage: 'server' })],
    ['that was revoked', () => Promise.resolve(revoked)],
  ])('do not count: one %s', async (_, make) => {
    expect((await client(await make())('/v1/events')).status).toBe(401);
  });

  it('that verify and mean nothing here let nobody in', async () => {
    expect((await client(await clients.leaf({ subject: 'CN=stranger' }))('/v1/events')).status).toBe(403);
  });

  it('do not make a bad token good', async () => {
    const get = client(await auditor());
    expect((await get('/v1/events', 'bad-token')).status).toBe(401);
  });
});

describe('operation', () => {
  it('needs no credential for what is public, and counts what it refuses', async () => {
    const get = anonymous();
    expect((await get('/v1/events')).status).toBe(401);
    expect((await get('/health/live')).status).toBe(200);
    const metrics = (await get('/metrics')).text;
    expect(metrics).toMatch(/siegel_audit_access_refusals_total\{way="oidc"\} [1-9]/);
    expect(metrics).toMatch(/siegel_audit_access_refusals_total\{way="certificate"\} [1-9]/);
    expect(deployment.output).not.toContain(await issuer.token());
  });

  it('is refused at start where the file is wrong', async () => {
    const good = file('access.good');
    renameSync(file('access.json'), good);
    writeFileSync(file('access.json'), JSON.stringify({ embeddedToken: false }));
    try {
      await expect(deployment.startSecond()).rejects.toThrow(/SIEGEL_AUDIT_ACCESS_FILE lets nobody in/);
    } finally {
      renameSync(good, file('access.json'));
    }
  });
});
