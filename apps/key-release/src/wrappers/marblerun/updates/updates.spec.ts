import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CoordinatorHost } from '../../../../../../test/marblerun/coordinator-host.js';
import { call } from '../../../../../../test/marblerun/rest-client.js';
import { verify, X509Certificate } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import { createAuthority } from '../state/authority.js';
import type { Coordinator } from '../state/coordinator.js';
import { requireUser, type User } from '../users-roles/users.js';
import { writeSecrets } from '../users-roles/write-secrets.js';
import { acknowledgeUpdate, cancelUpdate, initiateUpdate, pendingUpdate } from './full-update.js';
import { readUpload } from './manifest-intake.js';
import { updatePackages } from './package-update.js';
import { setManifest } from './set-manifest.js';

const NAMES = ['ann', 'ben', 'cat'] as const;
const certificates = new Map<string, { pem: string; der: Buffer }>();
let host: CoordinatorHost;
let coordinator: Coordinator;

beforeEach(async () => {
  for (const name of NAMES) {
    const { root } = await createAuthority('P-256', [name], new Date());
    certificates.set(name, { pem: root.pem, der: root.certificate });
  }
  host = await CoordinatorHost.start({ one: { tenant: 'default', hosts: ['one.example'] } });
  coordinator = host.deployment('one');
});
afterEach(() => host?.stop());

const BASE = {
  Packages: {
    app: { SignerID: 'cd'.repeat(32), ProductID: 1, SecurityVersion: 2 },
    other: { UniqueID: 'ab'.repeat(32) },
  },
  Marbles: { web: { Package: 'app', MaxActivations: 2 }, free: { Package: 'other' } },
  Secrets: {
    shared: { Type: 'symmetric-key', Size: 128, Shared: true },
    cert: { Type: 'cert-ecdsa', Size: 256, Shared: true },
    mine: { Type: 'symmetric-key', Size: 64, UserDefined: true },
    plain: { Type: 'plain', UserDefined: true },
  },
  Roles: {
    update: { ResourceType: 'Manifest', Actions: ['UpdateManifest'] },
    svn: { ResourceType: 'Packages', ResourceNames: ['app'], Actions: ['UpdateSecurityVersion'] },
    write: { ResourceType: 'Secrets', ResourceNames: ['mine', 'plain'], Actions: ['WriteSecret'] },
  },
};
const manifest = (change: object = {}, roles: readonly string[] = ['update', 'svn', 'write']): Buffer =>
  Buffer.from(
    JSON.stringify({
      ...BASE,
      Users: Object.fromEntries(
        NAMES.map((name) => [name, { Certificate: certificates.get(name)!.pem, Roles: roles }]),
      ),
      ...change,
    }),
  );
const user = (name: string): User =>
  requireUser(coordinator.requireManifest().manifest.parsed, certificates.get(name)!.der);
const initiate = (raw: Buffer, name: string) =>
  initiateUpdate(coordinator, raw, readUpload(raw, 'update'), user(name));
const raise = (packages: object, name = 'ann') =>
  updatePackages(
    coordinator,
    readUpload(Buffer.from(JSON.stringify({ Packages: packages })), 'update').manifest,
    user(name),
  );
const key = (bytes: string) => ({ key: Buffer.from(bytes), certificate: undefined, privateKey: undefined });
const set = (raw = manifest()) => setManifest(coordinator, raw, 'test');

describe('a whole update', () => {
  it('needs everybody who may update, unless the manifest in force says fewer', async () => {
    await set();
    const next = manifest({ Config: { UpdateThreshold: 1 } });
    expect(await initiate(next, 'ann')).toMatchObject({ missing: 2, missingUsers: ['ben', 'cat'] });
    expect(pendingUpdate(coordinator)).toMatchObject({ missing: 2, acknowledged: ['ann'] });
    await expect(initiate(next, 'ben')).rejects.toThrow('update already in progress');
    await expect(raise({ app: { SecurityVersion: 3 } })).rejects.toThrow('update already in progress');
    expect((await acknowledgeUpdate(coordinator, next, user('ann'))).missing).toBe(2);
    expect((await acknowledgeUpdate(coordinator, next, user('ben'))).missing).toBe(1);
    const other = Buffer.concat([next, Buffer.from(' ')]);
    await expect(acknowledgeUpdate(coordinator, other, user('cat'))).rejects.toThrow(
      'does not match the pending manifest',
    );
    expect((await acknowledgeUpdate(coordinator, next, user('cat'))).missing).toBe(0);
    expect(coordinator.requireManifest().manifest.raw).toEqual(next);
    // From now on one is enough.
    expect((await initiate(manifest({ Config: { UpdateThreshold: 1 } }), 'ben')).missing).toBe(0);
  });

  it('waits over a restart, and can be cancelled by any of them', async () => {
    await set();
    const next = manifest({ Config: { RotateRootSecret: true } });
    await initiate(next, 'ann');
    await host.restart();
    coordinator = host.deployment('one');
    expect(pendingUpdate(coordinator).raw).toEqual(next);
    await cancelUpdate(coordinator, user('cat'));
    expect(() => pendingUpdate(coordinator)).toThrow('no update in progress');
    await expect(cancelUpdate(coordinator, user('cat'))).rejects.toThrow('no update in progress');
    expect(coordinator.current?.log.map((line) => (JSON.parse(line) as { update: string }).update)).toEqual([
      'Initial manifest set',
      'Complete Manifest update initiated by user. Waiting for acknowledgments to apply the update',
      'Complete Manifest update cancelled by user',
    ]);
  });

  it('keeps what may stay and renews the rest; the cycle before is kept once', async () => {
    await set(manifest({ Config: { UpdateThreshold: 1 } }));
    await writeSecrets(
      coordinator,
      new Map([
        ['mine', key('12345678')],
        ['plain', key('words')],
      ]),
      user('ann'),
    );
    const before = coordinator.snapshot();
    const plain = { ...BASE.Secrets, plain: { ...BASE.Secrets.plain, ValidFor: 1 } };
    await initiate(manifest({ Config: { UpdateThreshold: 1 }, Secrets: plain }), 'ann');
    const after = coordinator.snapshot();
    const value = (snapshot: typeof after, name: string) => snapshot.current.stored.get(name);
    expect(value(after, 'shared')).toEqual(value(before, 'shared'));
    expect(value(after, 'mine')).toEqual(value(before, 'mine'));
    expect(value(after, 'cert')?.certificate).not.toEqual(value(before, 'cert')?.certificate);
    // Its definition is another one: a value for the old one says nothing.
    expect(value(after, 'plain')).toBeUndefined();
    expect(after.current.rootSecret).toEqual(before.current.rootSecret);
    expect(after.previous?.stored).toEqual(before.current.stored);
    expect(after.authority.root).toBe(before.authority.root);
    expect(after.authority.intermediate.pem).not.toBe(before.authority.intermediate.pem);
    const issuer = new X509Certificate(after.authority.marbleRoot.certificate);
    expect(new X509Certificate(value(after, 'cert')!.certificate).verify(issuer.publicKey)).toBe(true);

    await initiate(manifest({ Config: { UpdateThreshold: 1, RotateRootSecret: true } }), 'ann');
    const rotated = coordinator.snapshot();
    expect(rotated.current.rootSecret).not.toEqual(after.current.rootSecret);
    expect(rotated.previous?.rootSecret).toEqual(after.current.rootSecret);
    expect(value(rotated, 'shared')).not.toEqual(value(after, 'shared'));
    expect(value(rotated, 'mine')).toEqual(value(before, 'mine'));
    await host.restart();
    coordinator = host.deployment('one');
    expect(coordinator.snapshot().previous?.rootSecret).toEqual(after.current.rootSecret);
    expect(coordinator.snapshot().previous?.definitions.has('shared')).toBe(true);
  });

  it('is refused where its manifest is none, and to users without the right', async () => {
    await set();
    await expect(initiate(manifest({ Packages: {} }), 'ann')).rejects.toThrow(
      'invalid manifest: no allowed packages defined',
    );
    await expect(initiate(manifest({ RecoveryKeys: { k: 'none' } }), 'ann')).rejects.toThrow(
      'given PEM data is not a public key',
    );
    await expect(
      initiate(
        manifest({
          Marbles: { web: { Package: 'app', Parameters: { Env: { A: '{{ hex .Secrets.x }}' } } } },
        }),
        'ann',
      ),
    ).rejects.toThrow(/^running manifest template dry run: in Marble web: env variable A: /);
    expect(coordinator.current?.pending).toBeUndefined();
  });

  it('is refused to a user without the right, at every step', async () => {
    await set(manifest({}, ['svn']));
    await expect(initiate(manifest(), 'ann')).rejects.toThrow(
      'user ann is not allowed to update the complete manifest',
    );
    await expect(cancelUpdate(coordinator, user('ann'))).rejects.toThrow(CoordinatorError);
  });

  it('signs the new manifest, and its recovery keys get new secrets only if they are others', async () => {
    await set(manifest({ Config: { UpdateThreshold: 1 } }));
    const next = manifest({ Config: { UpdateThreshold: 1, FeatureGates: ['MonotonicCounter'] } });
    expect((await initiate(next, 'ann')).recoverySecrets).toBeUndefined();
    const { manifest: inForce, authority } = coordinator.requireManifest();
    const root = new X509Certificate(authority.root.certificate);
    expect(verify('sha256', next, root.publicKey, inForce.signature)).toBe(true);
  });
});

describe('an update that cannot be brought into force', () => {
  it('is dropped, told and logged; the manifest in force stays', async () => {
    await set(manifest({ Config: { UpdateThreshold: 2 } }));
    const before = coordinator.snapshot();
    const next = manifest({ Config: { UpdateThreshold: 1 } });
    await initiate(next, 'ann');
    const generate = jest.spyOn(coordinator.ports.works, 'generate');
    generate.mockRejectedValueOnce(new Error('no randomness'));
    await expect(acknowledgeUpdate(coordinator, next, user('ben'))).rejects.toThrow('no randomness');
    generate.mockRestore();
    expect(coordinator.current?.pending).toBeUndefined();
    expect(coordinator.snapshot()).toBe(before);
    expect(coordinator.current?.log.at(-1)).toContain('cancelled due to error during apply');
    expect(host.events.at(-1)).toMatchObject({
      type: 'coordinator.manifest',
      outcome: 'alert',
      reason: { code: 'UPDATE_FAILED', message: 'no randomness' },
      data: { step: 'failed' },
    });
    expect((await initiate(next, 'ann')).missing).toBe(1);
    expect((await acknowledgeUpdate(coordinator, next, user('cat'))).missing).toBe(0);
  });
});

describe('a deployment that must not be persistent', () => {
  it('forgets its manifest and secrets with the process, and keeps its root', async () => {
    await set(manifest({ Config: { SealMode: 'Disabled' } }));
    await writeSecrets(coordinator, new Map([['plain', key('words')]]), user('ann'));
    const { root } = coordinator.authority;
    await host.restart();
    coordinator = host.deployment('one');
    expect(coordinator.state).toBe('AcceptingManifest');
    expect(coordinator.authority.root.pem).toBe(root.pem);
    expect(coordinator.current?.stored.size).toBe(0);
  });

  it('does not come back as what it was before an update said so', async () => {
    await set(manifest({ Config: { UpdateThreshold: 1 } }));
    await initiate(manifest({ Config: { UpdateThreshold: 1, SealMode: 'Disabled' } }), 'ann');
    await host.restart();
    coordinator = host.deployment('one');
    expect(coordinator.state).toBe('AcceptingManifest');
  });
});

describe('a package update', () => {
  it('raises a version, renews what the intermediate has signed, and leaves the manifest as it is', async () => {
    await set();
    const before = coordinator.snapshot();
    const marble = await host.marble('one', 'web', '11111111-2222-4333-8444-555555555555');
    await raise({ app: { SecurityVersion: 5 } });
    const after = coordinator.snapshot();
    expect(after.manifest.packages.get('app')?.securityVersion).toBe(5);
    expect(after.fingerprint).toBe(before.fingerprint);
    expect(coordinator.requireManifest().manifest.parsed.packages.get('app')?.securityVersion).toBe(2);
    expect(after.current.stored.get('shared')).toEqual(before.current.stored.get('shared'));
    expect(after.current.stored.get('cert')).not.toEqual(before.current.stored.get('cert'));
    await host.restart();
    coordinator = host.deployment('one');
    expect(coordinator.snapshot().manifest.packages.get('app')?.securityVersion).toBe(5);
    // Not below what the last update said, though the manifest's own is lower.
    await expect(raise({ app: { SecurityVersion: 4 } })).rejects.toThrow('tries to downgrade');
    // A marble of before is known no longer.
    await initiate(manifest({ Config: { UpdateThreshold: 1, FeatureGates: ['MonotonicCounter'] } }), 'ann');
    for (const name of ['ben', 'cat'])
      await acknowledgeUpdate(coordinator, pendingUpdate(coordinator).raw, user(name));
    const counter = { method: 'POST', path: '/api/v2/monotonic-counter', body: '{"name":"c","value":1}' };
    const refused = await call(host.port, 'one.example', { ...counter, identity: marble });
    expect([refused.status, refused.body]).toEqual([
      401,
      expect.stringContaining('signed by unknown authority'),
    ]);
    const fresh = await host.marble('one', 'web', '11111111-2222-4333-8444-555555555555');
    expect((await call(host.port, 'one.example', { ...counter, identity: fresh })).status).toBe(200);
  });

  it.each([
    [{ app: { SecurityVersion: 1 } }, 'tries to downgrade SecurityVersion'],
    [{ app: { SecurityVersion: 3, Debug: true } }, 'contains unupdatable values'],
    [{ app: { SecurityVersion: 3, AcceptedTCBStatuses: ['OutOfDate'] } }, 'contains unupdatable values'],
    [{ app: {} }, 'does not specify a SecurityVersion'],
    [{ other: { SecurityVersion: 3 } }, 'user ann is not allowed to update one or more packages of [other]'],
    [
      { app: { SecurityVersion: 3 }, nope: {} },
      'is not allowed to update one or more packages of [app nope]',
    ],
  ])('%j is refused: %s', async (packages, message) => {
    await set();
    await expect(raise(packages)).rejects.toThrow(message);
    expect(coordinator.snapshot().revision).toBe(2);
  });
});

describe('counted activations', () => {
  it('never exceed their limit, whatever happens at once, and are counted for good', async () => {
    await set();
    const first = coordinator.countActivation('web');
    const second = coordinator.countActivation('web');
    const spent = 'reached max activations count (2) for marble type "web"';
    expect(() => coordinator.countActivation('web')).toThrow(spent);
    second.release();
    second.release();
    const again = coordinator.countActivation('web');
    await Promise.all([first.commit(), again.commit(), again.commit()]);
    first.release();
    expect(() => coordinator.countActivation('web')).toThrow(spent);
    const before = coordinator.snapshot();
    expect(before).toBe(coordinator.snapshot());
    await host.restart();
    coordinator = host.deployment('one');
    expect(() => coordinator.countActivation('web')).toThrow(spent);
    await initiate(manifest({ Config: { UpdateThreshold: 1 } }), 'ann');
    expect(() => coordinator.countActivation('web')).toThrow(spent);
    expect(() => coordinator.countActivation('nope')).toThrow('unknown marble type requested');
    await coordinator.countActivation('free').commit();
  });
});

describe('secrets of users', () => {
  it.each([
    ['mine', key('short'), "parsing new secrets: declared size and actual size don't match: mine"],
    ['shared', key('0123456789abcdef'), 'parsing new secrets: secret shared is not writeable'],
    ['plain', { ...key('x'), privateKey: Buffer.of(1) }, 'specified values for a certificate'],
  ])('%s is refused: %#', async (name, upload, message) => {
    await set();
    const both = new Map([
      ['plain', key('fine')],
      [name, upload],
    ]);
    await expect(writeSecrets(coordinator, both, user('ann'))).rejects.toThrow(message);
    expect(coordinator.snapshot().current.stored.has('plain')).toBe(false);
  });

  it('are refused to users without the right', async () => {
    await set(manifest({}, ['svn']));
    await expect(writeSecrets(coordinator, new Map([['plain', key('x')]]), user('ann'))).rejects.toThrow(
      'user ann is not allowed to update secret: plain',
    );
  });

  it('of a certificate type need a certificate of that type and its own key, in a strict deployment', async () => {
    await set(
      manifest({
        Secrets: { c: { Type: 'cert-ecdsa', Size: 256, UserDefined: true } },
        Roles: {
          ...BASE.Roles,
          write: { ResourceType: 'Secrets', ResourceNames: ['c'], Actions: ['WriteSecret'] },
        },
      }),
    );
    const [one, two] = [
      await createAuthority('P-256', [], new Date()),
      await createAuthority('P-256', [], new Date()),
    ];
    const pkcs8 = (from: typeof one) => from.root.privateKey.export({ format: 'der', type: 'pkcs8' });
    const upload = (privateKey: Buffer, certificate = one.root.certificate) =>
      writeSecrets(coordinator, new Map([['c', { key: undefined, certificate, privateKey }]]), user('ann'));
    await expect(upload(pkcs8(two))).rejects.toThrow('the private key is not that of the certificate');
    await expect(upload(pkcs8(one), Buffer.from('none'))).rejects.toThrow('x509: malformed certificate');
    await upload(pkcs8(one));
    expect(coordinator.snapshot().current.stored.get('c')?.certificate).toEqual(one.root.certificate);
  });
});
