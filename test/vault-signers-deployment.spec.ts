import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { join } from 'node:path';
import { fromPem, PublicKey, verifyLogDelegation } from '#pki';
import { ed25519Verifier, openCheckpoint, parseVerifierKey } from '#transparency';
import { HttpsJson } from '../apps/cli/src/demo/https-json.js';
import { AzureWorld } from './azure-deployment.js';
import { siegel as runSiegel } from './cli-command.js';
import {
  certificateFor,
  eventually,
  expectProblem,
  manifestOf,
  type RunningSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(120_000);

interface Jwks {
  readonly keys: readonly { readonly kid: string; readonly x5c?: readonly string[] }[];
}
interface Delegations {
  readonly log: string;
  readonly delegations: readonly { readonly kid: string; readonly delegation: string }[];
}

const HOOK_SECRET = randomBytes(32).toString('base64url');

let azure: AzureWorld;
let siegel: RunningSiegel;

const createKey = async (name: string): Promise<PublicKey> => {
  const { key } = await azure.sdk.keys.createEcKey(name, { curve: 'P-256', hsm: true });
  const member = (bytes: Uint8Array | undefined) => Buffer.from(bytes!).toString('base64url');
  return PublicKey.fromJwk({ kty: 'EC', crv: 'P-256', x: member(key!.x), y: member(key!.y) });
};
const get = async <T>(path: string): Promise<T> => (await siegel.service.call('GET', path)).body as T;
const pem = async (path: string): Promise<X509Certificate[]> =>
  fromPem('CERTIFICATE', (await siegel.service.call('GET', path)).text)!.map(
    (der) => new X509Certificate(der),
  );
const delegations = async (): Promise<Delegations> =>
  (await (await fetch(`${siegel.endpoints.audit}/v1/log/delegation`)).json()) as Delegations;
const thumbprint = (certificate: X509Certificate): string =>
  PublicKey.fromKeyObject(certificate.publicKey).thumbprint;

describe('a deployment whose signers are keys of a vault', () => {
  let mesh: PublicKey;
  let tokens: PublicKey;
  let log: PublicKey;

  beforeAll(async () => {
    azure = await AzureWorld.start({ vaults: ['prod'] });
    [mesh, tokens, log] = [await createKey('mesh'), await createKey('tokens'), await createKey('log')];
    const { kind: _, ...vault } = azure.files.vaultSettings('prod');
    const signers = azure.write('signers.json', {
      meshCaRoot: {
        vault,
        keyName: 'mesh',
        pollSeconds: 1,
        publishAheadHours: 0.0006,
        intermediateHours: 24,
      },
      tokens: { vault, keyName: 'tokens', pollSeconds: 1, publishAheadSeconds: 2 },
      log: { vault, keyName: 'log', pollSeconds: 1 },
    });
    siegel = await azure.deploy({}, ['--env', `SIEGEL_SIGNERS_FILE=${signers}`]);
    await siegel.admin.setManifest(TENANT, manifestOf({ shop: { certificate: certificateFor('shop') } }), 0);
  });
  afterAll(async () => {
    await siegel?.stop();
    await azure?.stop();
  });

  it('gives identities under the mesh root of the vault; its own server has one too', async () => {
    const { payload } = await siegel.machines.enclave('shop').attest(siegel.service);
    const [leaf, intermediate] = fromPem('CERTIFICATE', payload.certificate!.chainPem)!.map(
      (der) => new X509Certificate(der),
    ) as [X509Certificate, X509Certificate];
    const [root] = await pem('/v1/ca.pem');
    expect(thumbprint(root!)).toBe(mesh.thumbprint);
    expect(leaf.verify(intermediate.publicKey) && intermediate.verify(mesh.keyObject)).toBe(true);
    // No leaf outlives half of its short-lived intermediate.
    const hours = (Date.parse(leaf.validTo) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(11);
    expect(hours).toBeLessThanOrEqual(12);
    expect(await serverIsTrustedBy(root!)).toBe(true);
  });

  it('publishes token keys whose chain ends in the key of the vault, and signs with them', async () => {
    const { response } = await siegel.machines.enclave('shop').attest(siegel.service);
    const [header, payload, signature] = response.token.split('.') as [string, string, string];
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const jwk = (await get<Jwks>('/.well-known/jwks.json')).keys.find((key) => key.kid === kid)!;
    const [leaf] = jwk.x5c!.map((der) => new X509Certificate(Buffer.from(der, 'base64')));
    expect(leaf!.verify(tokens.keyObject)).toBe(true);
    expect(leaf!.verify(mesh.keyObject)).toBe(false);
    const signed = { key: leaf!.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    const input = Buffer.from(`${header}.${payload}`);
    expect(verify('sha256', input, signed, Buffer.from(signature, 'base64url'))).toBe(true);
    expect((await pem('/v1/token-roots.pem')).map(thumbprint)).toEqual([tokens.thumbprint]);
  });

  it('delegates to the key of the log, under which checkpoints verify', async () => {
    const published = await eventually('a delegation', async () => {
      const answer = await delegations();
      return answer.delegations?.length > 0 && answer;
    });
    expect(published.delegations.map(({ kid }) => kid)).toEqual([log.thumbprint]);
    const expected = { authority: log, origin: published.log, now: new Date() };
    const { delegation } = published.delegations[0]!;
    const { vkey } = await verifyLogDelegation(delegation, expected);
    const { publicKey } = parseVerifierKey(vkey);
    const checkpoint = await eventually('a checkpoint', async () => {
      const answer = await fetch(`${siegel.endpoints.audit}/v1/log/checkpoint`);
      return answer.ok && Buffer.from(await answer.arrayBuffer());
    });
    const verifier = ed25519Verifier(published.log, publicKey);
    expect(openCheckpoint(checkpoint, published.log, verifier).size).toBeGreaterThan(0);
    await expect(verifyLogDelegation(delegation, { ...expected, authority: mesh })).rejects.toMatchObject({
      code: expect.stringMatching(/^JWT_/),
    });
    const elsewhere = verifyLogDelegation(delegation, { ...expected, origin: `${published.log}2` });
    await expect(elsewhere).rejects.toMatchObject({ code: 'JWT_AUDIENCE_REFUSED' });
    const late = verifyLogDelegation(delegation, { ...expected, now: new Date(Date.now() + 8 * 86_400_000) });
    await expect(late).rejects.toMatchObject({ code: 'JWT_EXPIRED' });
  });

  it('is asked for by siegel audit verify, which believes no other authority', async () => {
    const authorityFile = (key: PublicKey): string => {
      const path = join(siegel.state, `authority-${key.thumbprint}.pem`);
      writeFileSync(path, key.keyObject.export({ type: 'spki', format: 'pem' }));
      return path;
    };
    const audit = (key: PublicKey) =>
      runSiegel([
        'audit',
        'verify',
        '--state',
        siegel.state,
        '--log-authority',
        authorityFile(key),
        '--json',
      ]);
    const good = await audit(log);
    expect({ code: good.code, ok: good.json<{ ok: boolean }>().ok }).toEqual({ code: 0, ok: true });
    const bad = await audit(mesh);
    expect({ code: bad.code, error: bad.json<{ error: { code: string } }>().error.code }).toEqual({
      code: 1,
      error: 'AUTHORITY_REFUSED',
    });
  });

  it('follows new versions of all three, old and new holding side by side', async () => {
    const enclave = siegel.machines.enclave('shop');
    const before = await enclave.attest(siegel.service);
    const [nextMesh, nextTokens, nextLog] = [
      await createKey('mesh'),
      await createKey('tokens'),
      await createKey('log'),
    ];

    const [first, second] = await eventually('the next mesh root in the lead', async () => {
      const roots = await pem('/v1/ca.pem');
      return thumbprint(roots[0]!) === nextMesh.thumbprint && (roots as [X509Certificate, X509Certificate]);
    });
    expect(thumbprint(second)).toBe(mesh.thumbprint);
    const { payload } = await siegel.machines.enclave('shop').attest(siegel.service);
    const intermediate = new X509Certificate(fromPem('CERTIFICATE', payload.certificate!.chainPem)![1]!);
    expect(intermediate.verify(first.publicKey)).toBe(true);
    expect(fromPem('CERTIFICATE', payload.certificate!.rootPem)).toHaveLength(2);
    // The server's certificate is still the former root's, which is still trusted.
    expect(await serverIsTrustedBy(second)).toBe(true);

    await eventually('a token under the next key', async () => {
      const { response } = await siegel.machines.enclave('shop').attest(siegel.service);
      const header = JSON.parse(Buffer.from(response.token.split('.')[0]!, 'base64url').toString()) as {
        kid: string;
      };
      const jwk = (await get<Jwks>('/.well-known/jwks.json')).keys.find(({ kid }) => kid === header.kid)!;
      return new X509Certificate(Buffer.from(jwk.x5c![0]!, 'base64')).verify(nextTokens.keyObject);
    });
    const url = `${siegel.endpoints.release}/v1/release`;
    expect((await enclave.fetchAgain(siegel.service, url, before.response.token)).response.session).toBe(
      before.response.session,
    );

    const both = await eventually('a delegation by the next key', async () => {
      const answer = await delegations();
      return answer.delegations.length === 2 && answer;
    });
    expect(both.delegations.map(({ kid }) => kid)).toEqual([nextLog.thumbprint, log.thumbprint]);
    const changes = (await siegel.log.all({ type: 'service.signer' })).map(({ event }) => event.data);
    expect(changes).toHaveLength(3);
    for (const [signer, service, keys] of [
      ['mesh-root', 'key-release', [mesh, nextMesh]],
      ['tokens', 'key-release', [tokens, nextTokens]],
      ['log', 'audit', [log, nextLog]],
    ] as const) {
      const versions = keys.map(({ thumbprint: kid }) => ({ version: expect.any(String), kid }));
      expect(changes).toContainEqual(expect.objectContaining({ signer, service, vault: 'prod', versions }));
    }
    for (const [index, authority] of [nextLog, log].entries()) {
      const { delegation } = both.delegations[index]!;
      await verifyLogDelegation(delegation, { authority, origin: both.log, now: new Date() });
    }
  });

  it('never sees the private half of one: no key left the vault, and none is in the state folder', () => {
    const actions = new Set(azure.fake.log.all().map(({ action }) => action));
    for (const action of ['keys/backup', 'keys/release', 'keys/import'])
      expect(actions.has(action)).toBe(false);
    const kids = [mesh, tokens, log].map(({ thumbprint: kid }) => kid);
    const root = readFileSync(siegel.layout.path('key-release', 'pki', kids[0]!, 'root.pem'), 'utf8');
    expect(root).toContain('BEGIN CERTIFICATE');
    expect(root).not.toContain('PRIVATE KEY');
    expect(createPublicKey(root).equals(mesh.keyObject)).toBe(true);
  });

  it('goes on without the vault: attestations need it for nothing', async () => {
    azure.fake.faults.add({ effect: { kind: 'reset' } });
    const { response } = await siegel.machines.enclave('shop').attest(siegel.service);
    expect(response.workload).toBe('shop');
    // Nor does a start need it, once the service has seen the public half of its keys.
    await siegel.kill('key-release');
    // Its server certificate is of the new root now: who pins roots has learnt of it meanwhile.
    const bundle = readFileSync(siegel.layout.path('key-release', 'pki', 'bundle.pem'), 'utf8');
    const service = new HttpsJson(siegel.endpoints.release, bundle);
    await eventually(
      'a ready service',
      async () => (await service.call('GET', '/health/ready')).status === 200,
    );
    const again = await siegel.machines.enclave('shop').attest(service);
    service.close();
    expect(fromPem('CERTIFICATE', again.payload.certificate!.rootPem)).toHaveLength(2);
    azure.fake.faults.clear();
  });
});

describe('a small deployment whose every token the vault signs', () => {
  let tokens: PublicKey;

  beforeAll(async () => {
    azure = await AzureWorld.start({ vaults: ['prod'] });
    tokens = await createKey('tokens');
    const { kind: _, ...vault } = azure.files.vaultSettings('prod');
    const signers = azure.write('signers.json', {
      tokens: {
        vault: { ...vault, timeoutSeconds: 1 },
        keyName: 'tokens',
        mode: 'direct',
        operationsPer10Seconds: 24,
      },
    });
    const secret = azure.write('hook.secret', HOOK_SECRET);
    const set = (name: string, value: string) => ['--env', `${name}=${value}`];
    siegel = await azure.deploy({}, [
      ...set('SIEGEL_SIGNERS_FILE', signers),
      ...set('SIEGEL_EVENT_GRID_SECRET_FILE', secret),
    ]);
    await siegel.admin.setManifest(TENANT, manifestOf({ shop: { env: { A: '1' } } }), 0);
  });
  afterAll(async () => {
    await siegel?.stop();
    await azure?.stop();
  });

  it('signs in the vault, once for each token, under the key that the JWKS shows', async () => {
    azure.fake.log.clear();
    const { response } = await siegel.machines.enclave('shop').attest(siegel.service);
    const [header, payload, signature] = response.token.split('.') as [string, string, string];
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ kid: tokens.thumbprint });
    const signed = { key: tokens.keyObject, dsaEncoding: 'ieee-p1363' } as const;
    const input = Buffer.from(`${header}.${payload}`);
    expect(verify('sha256', input, signed, Buffer.from(signature, 'base64url'))).toBe(true);
    expect((await get<Jwks>('/.well-known/jwks.json')).keys.map(({ kid }) => kid)).toEqual([
      tokens.thumbprint,
    ]);
    expect(azure.fake.log.of('keys/sign')).toHaveLength(1);
    expectProblem(await siegel.service.call('GET', '/v1/token-roots.pem'), 'NOT_FOUND');
  });

  it('learns of a new version by Event Grid, and publishes it before it signs', async () => {
    const next = await createKey('tokens');
    const event = {
      id: 'one',
      topic: '/subscriptions/1/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/prod',
      eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
      data: { VaultName: 'prod', ObjectName: 'tokens', ObjectType: 'Key' },
    };
    const path = `/v1/hooks/event-grid?secret=${HOOK_SECRET}`;
    expect((await siegel.service.post(path, [event])).body).toEqual({ accepted: 1, duplicates: 0 });
    await eventually(
      'the next key',
      async () => (await get<Jwks>('/.well-known/jwks.json')).keys.length === 2,
    );
    expect((await get<Jwks>('/.well-known/jwks.json')).keys.map(({ kid }) => kid)).toEqual([
      tokens.thumbprint,
      next.thumbprint,
    ]);
    const { response } = await siegel.machines.enclave('shop').attest(siegel.service);
    const header = Buffer.from(response.token.split('.')[0]!, 'base64url').toString();
    expect(JSON.parse(header)).toMatchObject({ kid: tokens.thumbprint });
  });

  it('beyond its budget answers that the vault is throttled, and gives nothing', async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, () =>
        siegel.service.post('/v1/attest', siegel.machines.enclave('shop').requestBody()),
      ),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(3);
    for (const answer of refused) expectProblem(answer, 'VAULT_THROTTLED');
    expect(azure.fake.log.of('keys/sign').length).toBeLessThanOrEqual(18);
  });
});

describe('a deployment whose vault key cannot be had', () => {
  it.each([
    ['no such key', { keyName: 'absent' }, /KEY_NOT_FOUND/],
    ['no name of a key', { keyName: 'no_name' }, /tokens\.keyName/],
  ])('does not start, and says so in one line: %s', async (_name, tokens, message) => {
    const world = await AzureWorld.start({ vaults: ['prod'] });
    try {
      const { kind: _, ...vault } = world.files.vaultSettings('prod');
      const signers = world.write('signers.json', { tokens: { vault, ...tokens } });
      const start = world.deploy({}, ['--env', `SIEGEL_SIGNERS_FILE=${signers}`]);
      await expect(start).rejects.toThrow(/SIEGEL_SIGNERS_FILE/);
      await expect(start).rejects.toThrow(message);
    } finally {
      await world.stop();
    }
  });
});

/** Whether the server's certificate chains to this root alone. */
function serverIsTrustedBy(root: X509Certificate): Promise<boolean> {
  const { hostname, port } = new URL(siegel.endpoints.release);
  return new Promise((resolve) => {
    const socket = connect(
      { host: '127.0.0.1', port: Number(port), servername: hostname, ca: root.toString() },
      () => {
        socket.destroy();
        resolve(true);
      },
    );
    socket.on('error', () => resolve(false));
  });
}
