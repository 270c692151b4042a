import {
  type AuditEvent,
  BUCKETS,
  type ManifestHistory,
  type ManifestRecord,
  MANIFEST_TYP,
} from '#contracts';
import { LocalSigner, signJws } from '#pki';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { hash } from 'node:crypto';
import {
  certificateFor,
  eventually,
  type EventTail,
  expectProblem,
  manifestOf,
  Replica,
  RunningSiegel,
  startSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(180_000);
const PATH = `/v1/tenants/${TENANT}/manifest`;
const generation = (name: string): string =>
  manifestOf({ app: { certificate: certificateFor('app'), env: { GENERATION: name } } });
const EVIL = manifestOf({ app: { env: { GENERATION: 'evil' } }, stranger: { env: { GENERATION: 'evil' } } });

/** Whoever has stolen key-release's broker credentials writes into the store of manifests; two replicas look on. */
let siegel: RunningSiegel;
let replica: Replica;
let store: KV;
let refusals: EventTail;

beforeAll(async () => {
  siegel = await startSiegel({ manifest: generation('one') });
  await siegel.admin.setManifest(TENANT, generation('two'), 1);
  await siegel.admin.setManifest(TENANT, generation('three'), 2);
  replica = await Replica.start(siegel);
  store = await new Kvm(jetstream(await siegel.nats('key_release'))).open(BUCKETS.manifests);
  refusals = await siegel.log.tail({ type: 'manifest.refused' });
});
afterAll(async () => {
  await replica?.stop();
  await siegel?.stop();
});

const inForce = async (service = siegel.service): Promise<string | undefined> =>
  (await siegel.machines.enclave('app').attest(service)).payload.env['GENERATION'];

/** Both replicas have seen the value, refused it by an event each, and go on with what they had. */
async function expectRefusedBy(replicas: number, code: string, stays: string): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  await eventually(`${replicas} refusals`, async () => {
    events.push(...(await refusals.next()));
    return events.length >= replicas;
  });
  expect(events.map(({ reason, outcome }) => [reason?.code, outcome])).toEqual(
    Array.from({ length: replicas }, () => [code, 'alert']),
  );
  expect(new Set(events.map(({ emitter }) => emitter.instance)).size).toBe(replicas);
  expect(await inForce()).toBe(stays);
  expect(await inForce(replica.service)).toBe(stays);
  expectProblem(
    await siegel.service.post('/v1/attest', siegel.machines.enclave('stranger').requestBody()),
    'RELEASE_DENIED',
  );
  return events;
}

const record = (change: Partial<ManifestRecord> = {}): ManifestRecord => ({
  tenant: TENANT,
  version: 99,
  digest: hash('sha256', EVIL),
  setAt: new Date().toISOString(),
  actor: 'admin-token',
  text: EVIL,
  ...change,
});
const signed = (content: ManifestRecord, signer: LocalSigner, typ = MANIFEST_TYP): Promise<string> =>
  signJws(Buffer.from(JSON.stringify(content)), signer, { typ });
const trustedKey = () => LocalSigner.fromFile(siegel.layout.key('key-release', 'manifest'));

describe('a record that no trusted signer wrote', () => {
  it.each<[string, () => Promise<string>]>([
    ['signed by another key', () => signed(record(), LocalSigner.generate())],
    [
      'signed by another key under the trusted name',
      async () => {
        const [, payload, signature] = (await signed(record(), LocalSigner.generate())).split('.');
        const [header] = (await signed(record(), await trustedKey())).split('.');
        return [header, payload, signature].join('.');
      },
    ],
    [
      'the one in force with another text',
      async () => {
        const entry = await store.get(TENANT);
        const [header, , signature] = entry!.string().split('.');
        const payload = Buffer.from(JSON.stringify(record())).toString('base64url');
        return [header, payload, signature].join('.');
      },
    ],
    [
      'signed by the verifier, for whom it is not to say',
      async () =>
        signed(record(), await LocalSigner.fromFile(siegel.layout.key('quote-verifier', 'verdict'))),
    ],
    ['rightly signed as another kind of token', async () => signed(record(), await trustedKey(), 'JWT')],
    ['the bare manifest', async () => EVIL],
    ['noise', async () => 'a.b.c'],
  ])('%s: is refused by both replicas, the one in force stays', async (_what, make) => {
    await store.put(TENANT, await make());
    await expectRefusedBy(2, 'MANIFEST_FORGED', 'three');
    // The administrator sees what is in force, not what somebody has put into the store.
    expect((await siegel.admin.manifest(TENANT))?.text).toBe(generation('three'));
  });

  it('of another tenant is refused', async () => {
    await store.put(TENANT, await signed(record({ tenant: 'other' }), await trustedKey()));
    await expectRefusedBy(2, 'MANIFEST_FORGED', 'three');
  });

  it('rightly signed, whose digest is not that of its text, is refused', async () => {
    await store.put(TENANT, await signed(record({ version: 4 }), await trustedKey()));
    await expectRefusedBy(2, 'MANIFEST_INVALID', 'three');
  });

  it('does not show in the history', async () => {
    const { history } = (await siegel.adminCall('GET', `${PATH}/history`)).body as ManifestHistory;
    expect(history.slice(0, 3).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(history.filter(({ digest }) => digest === record().digest).length).toBeLessThanOrEqual(1);
  });
});

describe('a genuine record that is older', () => {
  it('is refused as a rollback, by both replicas', async () => {
    const history = [];
    for await (const entry of await store.history({ key: TENANT })) history.push(entry.string());
    await store.put(TENANT, history[0]!);
    await expectRefusedBy(2, 'MANIFEST_ROLLBACK', 'three');
    expect(await siegel.admin.manifest(TENANT)).toMatchObject({ version: 3, text: generation('three') });
  });

  it('is refused by a replica that starts while it lies there, too', async () => {
    await replica.restart();
    await expectRefusedBy(1, 'MANIFEST_ROLLBACK', 'three');
  });
});

describe('a record that is deleted', () => {
  it('changes nothing but for an alert', async () => {
    await store.delete(TENANT);
    await expectRefusedBy(2, 'MANIFEST_DELETED', 'three');
    expect((await siegel.admin.manifest(TENANT))?.version).toBe(3);
  });

  it('is found again in the history by a replica that starts', async () => {
    await replica.restart();
    await expectRefusedBy(1, 'MANIFEST_DELETED', 'three');
  });

  it('cannot be taken as a beginning: there is a version 3, whatever the store says', async () => {
    const first = await siegel.adminCall(
      'PUT',
      PATH,
      { 'content-type': 'application/yaml', 'if-none-match': '*' },
      generation('x'),
    );
    expectProblem(first, 'MANIFEST_CONFLICT');
  });

  it('is repaired by the next change', async () => {
    await siegel.admin.setManifest(TENANT, generation('four'), 3);
    expect(await inForce()).toBe('four');
    await eventually(
      'the change in the other replica',
      async () => (await inForce(replica.service)) === 'four',
    );
    expect(await siegel.admin.manifest(TENANT)).toMatchObject({ version: 4, text: generation('four') });
    expect(await refusals.next()).toEqual([]);
  });

  it('with all its history leaves what is in force, and the next change follows it', async () => {
    await store.purge(TENANT);
    await expectRefusedBy(2, 'MANIFEST_DELETED', 'four');
    await siegel.admin.setManifest(TENANT, generation('five'), 4);
    await eventually(
      'the change in the other replica',
      async () => (await inForce(replica.service)) === 'five',
    );
    const { history } = (await siegel.adminCall('GET', `${PATH}/history`)).body as ManifestHistory;
    expect(history.map(({ version }) => version)).toEqual([5]);
  });
});

describe('a forged record', () => {
  it('is repaired by the next change as well', async () => {
    await store.put(TENANT, await signed(record(), LocalSigner.generate()));
    await expectRefusedBy(2, 'MANIFEST_FORGED', 'five');
    await siegel.admin.setManifest(TENANT, generation('six'), 5);
    await eventually(
      'the change in the other replica',
      async () => (await inForce(replica.service)) === 'six',
    );
  });
});

describe('the store itself', () => {
  it('cannot be deleted or emptied with the credentials of any service', async () => {
    const stream = `KV_${BUCKETS.manifests}`;
    for (const user of ['key_release', 'quote_verifier', 'audit', 'operator', 'auditor'] as const) {
      const nats = await siegel.nats(user);
      const manager = await jetstreamManager(nats, { checkAPI: false, timeout: 1_000 });
      await expect(manager.streams.delete(stream)).rejects.toThrow();
      await expect(manager.streams.purge(stream)).rejects.toThrow();
    }
    expect(await inForce()).toBe('six');
  });

  it('is closed to the other services', async () => {
    for (const user of ['quote_verifier', 'audit', 'operator', 'auditor'] as const) {
      const nats = await siegel.nats(user);
      nats.publish(`$KV.${BUCKETS.manifests}.${TENANT}`, EVIL);
      await nats.flush();
    }
    expect((await siegel.admin.manifest(TENANT))?.version).toBe(6);
    expect(await refusals.next()).toEqual([]);
  });
});
