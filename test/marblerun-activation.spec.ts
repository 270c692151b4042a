import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client, credentials } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { FROM_VAULT, INFRASTRUCTURE, MANIFEST, OTHER } from './marblerun/activation-manifests.js';
import { encodeRequest, decodeResponse } from './marblerun/activation-messages.js';
import { MarbleRunDeployment, type Change } from './marblerun/deployment.js';
import { newMarbleIdentity, openEnclaveReport, reportDataOver } from './marblerun/marble-identity.js';
import { recordings } from './marblerun/recorded-activations.js';
import { replayActivations } from './marblerun/replay-activations.js';
import {
  activate,
  callActivate,
  certificates,
  NotActivated,
  openSession,
  pem,
  SOME_UUID,
} from './marblerun/reference-marble.js';

jest.setTimeout(120_000);

const recorded = recordings();

describe('activation of marbles', () => {
  let marblerun: MarbleRunDeployment;
  beforeAll(async () => {
    const open = { firstManifest: 'first-caller' };
    marblerun = await MarbleRunDeployment.start(
      {
        main: { ...open, default: true, hosts: ['localhost'], vaults: ['demo'] },
        other: { ...open, hosts: ['other.example'] },
        strict: { ...open, hosts: ['strict.example'] },
        loose: { ...open, hosts: ['loose.example'] },
        empty: { hosts: ['empty.example'] },
        replay: {
          ...open,
          hosts: ['replay.example'],
          simulation: true,
          keys: 'P-384',
          manifestChecks: 'upstream',
        },
      },
      { text: FROM_VAULT },
    );
    await marblerun.client().setManifest(MANIFEST);
    // Whoever may set its manifest must not read what the operator keeps in the vault for others.
    const greedy = { ...OTHER, Secrets: { all: MANIFEST.Secrets.fromVault } };
    await expect(marblerun.client('other.example').setManifest(greedy)).rejects.toThrow('is not open');
    await marblerun.client('other.example').setManifest(OTHER);
    await marblerun.client('strict.example').setManifest(INFRASTRUCTURE(60_000));
    await marblerun.client('loose.example').setManifest(INFRASTRUCTURE(0));
  });
  afterAll(() => marblerun?.stop());

  describe('a marble of the manifest', () => {
    it('has its secrets, certificate and arguments, and the log its event', async () => {
      await marblerun.tail.next();
      const { files, env, argv } = await marblerun.run('web', { names: ['web', 'web.ns.svc'] });
      expect(files.get('/keys/disk')).toHaveLength(16);
      expect(env.get('FROM_VAULT')?.toString()).toBe(FROM_VAULT);
      expect(env.get('SHARED')?.toString()).toMatch(/^[0-9a-f]{64}$/);
      expect(argv).toEqual(['web', '--serve']);
      const [own] = certificates(files.get('/tls.pem')!.toString());
      expect(own?.subject).toBe('CN=own.example');
      const [marbleRoot] = certificates(env.get('MARBLE_PREDEFINED_ROOT_CA')!.toString());
      expect(own?.verify(marbleRoot!.publicKey)).toBe(true);
      const [leaf] = certificates(env.get('MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN')!.toString());
      expect(leaf?.subject).toBe(`CN=${SOME_UUID}`);
      expect(leaf?.subjectAltName).toBe(
        'DNS:web, DNS:web.ns.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
      );
      expect(
        leaf?.raw.includes(
          Buffer.from('06052bcd2f0201' + '0403' + Buffer.from('web').toString('hex'), 'hex'),
        ),
      ).toBe(true);
      const ttls = JSON.parse(env.get('MARBLE_TTLS_CONFIG')!.toString()) as { tls: Record<string, object> };
      expect(ttls).toMatchObject({
        tls: { Incoming: { '*:8080': { clientAuth: true } }, Outgoing: { 'other:9': {} } },
      });

      const [event, ...others] = await marblerun.last();
      expect(others).toEqual([]);
      expect(event).toMatchObject({
        type: 'attestation.granted',
        workload: 'web',
        simulated: true,
        data: {
          protocol: 'marblerun',
          binding: 'marble-certificate',
          grants: [
            { alias: 'disk', as: 'file', objectType: 'key' },
            { alias: 'fromVault', as: 'env', vault: 'demo', objectName: 'text' },
            { alias: 'own', objectType: 'cert' },
            { alias: 'shared', as: 'env' },
          ],
          certificate: { dns: ['web', 'web.ns.svc'] },
        },
      });
      const text = JSON.stringify(event);
      for (const secret of [
        FROM_VAULT,
        env.get('SHARED')!.toString(),
        files.get('/keys/disk')!.toString('hex'),
      ])
        expect(text).not.toContain(secret);
    });

    it('has the same derived secret after another start, and another one under another UUID', async () => {
      const disk = async (uuid: string) =>
        (await marblerun.run('web', { uuid })).files.get('/keys/disk')!.toString('hex');
      expect(await disk(SOME_UUID.toUpperCase())).toBe(await disk(SOME_UUID));
      expect(await disk(`urn:uuid:${SOME_UUID.replace('1', '2')}`)).not.toBe(await disk(SOME_UUID));
    });

    it('may ask again over its connection, and an independent client over its own', async () => {
      const identity = await newMarbleIdentity();
      const quoting = marblerun.quoting('app');
      const session = await openSession(identity, { port: marblerun.meshPort });
      for (let at = 0; at < 3; at++)
        expect((await activate(session, identity, { type: 'bare', quoting })).argv).toEqual([]);
      session.destroy();

      const other = await newMarbleIdentity();
      const client = new Client(
        `localhost:${marblerun.meshPort}`,
        credentials.createSsl(null, Buffer.from(other.key), Buffer.from(pem(other.certificate)), {
          rejectUnauthorized: false,
        }),
      );
      const quote = openEnclaveReport(quoting(reportDataOver(other.certificate)));
      const same = (bytes: Buffer): Buffer => bytes;
      const answer = await new Promise<Buffer>((resolve, reject) =>
        client.makeUnaryRequest(
          '/rpc.Marble/Activate',
          same,
          same,
          encodeRequest({ quote, csr: other.csr, marbleType: 'bare', uuid: SOME_UUID }),
          (error, reply) => (error ? reject(error) : resolve(reply!)),
        ),
      ).finally(() => client.close());
      expect([...decodeResponse(answer).env.keys()].sort()).toEqual([
        'MARBLE_PREDEFINED_COORDINATOR_ROOT_CA',
        'MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN',
        'MARBLE_PREDEFINED_PRIVATE_KEY',
        'MARBLE_PREDEFINED_ROOT_CA',
      ]);
    });

    it('is of the deployment whose host it names, each with its own root', async () => {
      const rootOf = async (type: string, servername?: string): Promise<string> => {
        const change = servername === undefined ? {} : { servername };
        const { env } = await marblerun.run(type, change);
        return new X509Certificate(env.get('MARBLE_PREDEFINED_COORDINATOR_ROOT_CA')!).fingerprint256;
      };
      expect(await rootOf('only', 'other.example')).not.toBe(await rootOf('bare'));
      await expect(marblerun.run('bare', { servername: 'other.example' })).rejects.toMatchObject({
        status: 7,
      });
      const identity = await newMarbleIdentity();
      const session = await openSession(identity, { port: marblerun.meshPort, servername: 'other.example' });
      const socket = session.socket as unknown as { getPeerX509Certificate(): X509Certificate };
      const { env } = await marblerun.run('only', { servername: 'other.example' });
      const [marbleRoot] = certificates(env.get('MARBLE_PREDEFINED_ROOT_CA')!.toString());
      expect(socket.getPeerX509Certificate().fingerprint256).toBe(marbleRoot!.fingerprint256);
      session.destroy();
    });

    it('runs on a platform of the Infrastructures', async () => {
      expect((await marblerun.run('only', { servername: 'loose.example' })).argv).toEqual([]);
      const { event } = await marblerun.refused(() =>
        marblerun.run('only', { servername: 'strict.example' }),
      );
      expect(event.reason?.code).toBe('PLATFORM_NOT_ALLOWED');
    });
  });

  describe('refuses, and the log says why', () => {
    const INVALID = 'marble verification failed: invalid quote';
    it.each<readonly [string, string, string, Change]>([
      [
        'a wrong measurement',
        'bare',
        'MEASUREMENT_NOT_ALLOWED',
        { report: { mrsigner: 'ab'.repeat(32) } as never },
      ],
      ['another product', 'bare', 'ISV_PROD_ID_NOT_ALLOWED', { report: { isvProdId: 2 } as never }],
      ['a debug enclave', 'bare', 'DEBUG_ENCLAVE', { report: { debug: true } as never }],
      ['an SVN below the floor', 'newer', 'ISV_SVN_TOO_LOW', {}],
      [
        'a TCB below policy',
        'bare',
        'TCB_STATUS_NOT_ACCEPTED',
        { machine: { name: 'old', tcbStatus: 'OutOfDate' } },
      ],
    ])('%s', async (_what, type, code, change) => {
      const { told, event } = await marblerun.refused(() => marblerun.run(type, change));
      expect([told.status, told.details]).toEqual([7, INVALID]);
      expect(event).toMatchObject({ reason: { code }, workload: type });
      const { conditions } = event.data as { conditions: { ok: boolean }[] };
      expect(conditions.some(({ ok }) => !ok)).toBe(true);
    });

    it('a revoked PCK certificate', async () => {
      const machine = { name: 'revoked', fmspc: 'ee00deadbeef' };
      const { sgx } = marblerun.siegel.machines;
      const { serial } = sgx.platform(machine).pck.profile;
      marblerun.siegel.machines.addBundle(
        'revoked',
        sgx.collateral({ fmspc: machine.fmspc, revokedPcks: [serial] }),
      );
      const { told, event } = await marblerun.refused(() => marblerun.run('bare', { machine }));
      expect([told.status, event.reason?.code]).toEqual([7, 'PCK_REVOKED']);
    });

    it("another marble's quote, over the certificate of another connection", async () => {
      const victim = await newMarbleIdentity();
      const quote = marblerun.quoting('app')(reportDataOver(victim.certificate));
      const { told, event } = await marblerun.refused(() => marblerun.run('bare', { quoting: () => quote }));
      expect([told.status, told.details]).toEqual([7, INVALID]);
      expect(event.reason?.code).toBe('BINDING_MISMATCH');
    });

    it('report data with anything behind the hash', async () => {
      const real = marblerun.quoting('app');
      const quoting = (reportData: Buffer) => real(Buffer.concat([reportData.subarray(0, 63), Buffer.of(1)]));
      const { event } = await marblerun.refused(() => marblerun.run('bare', { quoting }));
      expect(event.reason?.code).toBe('BINDING_MISMATCH');
    });

    it('a certificate that was activated over another connection, or comes without its key', async () => {
      const identity = await newMarbleIdentity();
      await marblerun.run('bare', { identity });
      const { told, event } = await marblerun.refused(() => marblerun.run('bare', { identity }));
      expect([told.status, event.reason?.code]).toEqual([7, 'CERTIFICATE_SERVED_BEFORE']);
      const thief = await newMarbleIdentity();
      await expect(
        openSession({ ...identity, key: thief.key }, { port: marblerun.meshPort }),
      ).rejects.toThrow(/key values mismatch/i);
    });

    it('no quote, a quote that is none, and no certificate', async () => {
      const none = await marblerun.refused(() => marblerun.run('bare', { quoting: undefined }));
      expect([none.told.status, none.event.reason?.code]).toEqual([7, 'EVIDENCE_MISSING']);
      const garbage = await marblerun.refused(() =>
        marblerun.run('bare', { quoting: () => Buffer.alloc(2_000, 3) }),
      );
      expect([garbage.told.status, garbage.told.details]).toEqual([7, INVALID]);
      const huge = await marblerun.refused(() =>
        marblerun.run('bare', { quoting: () => Buffer.alloc(40_000) }),
      );
      expect([huge.told.status, huge.event.reason?.code]).toEqual([7, 'EVIDENCE_TOO_LARGE']);
      const anonymous = { key: '', certificate: Buffer.alloc(0) };
      const { told } = await marblerun.refused(async () => {
        const session = await openSession(anonymous, { port: marblerun.meshPort });
        const message = encodeRequest({
          quote: Buffer.of(1),
          csr: Buffer.of(1),
          marbleType: 'bare',
          uuid: SOME_UUID,
        });
        return callActivate(session, message).finally(() => session.destroy());
      });
      expect([told.status, told.details]).toEqual([16, "couldn't get marble TLS certificate"]);
    });

    it('more activations than the manifest allows, also all at once', async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => marblerun.run('limited')));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      const { told, event } = await marblerun.refused(() => marblerun.run('limited'));
      expect(told.details).toBe(
        'marble verification failed: reached max activations count (2) for marble type "limited"',
      );
      expect([told.status, event.reason?.code]).toEqual([7, 'MAX_ACTIVATIONS_REACHED']);
    });

    it.each<readonly [string, string, Change, number, string, string]>([
      [
        'an unknown type',
        'nobody',
        {},
        7,
        'marble verification failed: unknown marble type requested',
        'MARBLE_TYPE_UNKNOWN',
      ],
      [
        'a bad UUID',
        'bare',
        { uuid: 'not-a-uuid' },
        3,
        'invalid UUID: invalid UUID length: 10',
        'UUID_INVALID',
      ],
      [
        'no manifest',
        'bare',
        { servername: 'empty.example' },
        9,
        'cannot accept marbles in current state',
        'WRONG_STATE',
      ],
      [
        'an unset user-defined secret',
        'needsUser',
        {},
        13,
        'customizing marble parameters: parsing secrets for env variable "KEY": template: data:1:3: executing "data" at <hex .Secrets.user>: error calling hex: tried to parse secret with empty value',
        'TEMPLATE_FAILED',
      ],
    ])('%s', async (_what, type, change, status, details, code) => {
      const { told, event } = await marblerun.refused(() => marblerun.run(type, change));
      expect([told.status, told.details, event.reason?.code]).toEqual([status, details, code]);
    });

    it('a request for a certificate that is none, or not signed by its key', async () => {
      const identity = await newMarbleIdentity();
      const broken = Buffer.from((await newMarbleIdentity()).csr);
      broken[broken.length - 1]! ^= 1;
      const signature = await marblerun.refused(() =>
        marblerun.run('bare', { identity: { ...identity, csr: broken } }),
      );
      expect([signature.told.status, signature.told.details]).toEqual([
        13,
        'generating marble authentication secrets: signature over CSR is invalid',
      ]);
      const garbage = { ...identity, csr: Buffer.from('garbage') };
      const { told } = await marblerun.refused(() => marblerun.run('bare', { identity: garbage }));
      expect(told.details).toMatch(
        /^generating marble authentication secrets: parsing CSR: asn1: structure error/,
      );
    });

    it('what is no activation', async () => {
      const session = await openSession(await newMarbleIdentity(), { port: marblerun.meshPort });
      const said = (path: string, body = Buffer.alloc(0)) =>
        callActivate(session, body, path).then(
          () => undefined,
          (error: NotActivated) => [error.status, error.details],
        );
      expect(await said('/rpc.Marble/Nope')).toEqual([12, 'unknown method Nope for service rpc.Marble']);
      expect(await said('/rpc.Other/Activate')).toEqual([12, 'unknown service rpc.Other']);
      expect(await said('/rpc.Marble/Activate', Buffer.from([0xff, 0xff, 0xff]))).toEqual([
        13,
        'grpc: error unmarshalling request: proto:\u00a0cannot parse invalid wire-format data',
      ]);
      session.destroy();
    });
  });

  (recorded ? it : it.skip)(
    'recorded exchanges with upstream are answered as upstream answered',
    async () => {
      const differences = await replayActivations(marblerun, recorded!, 'replay.example');
      // Each with its reason in docs/wrappers/marblerun.md.
      expect(differences).toEqual([
        { name: 'bad-csr', upstream: 13, here: 13 },
        { name: 'no-client-certificate', upstream: undefined, here: 16 },
        { name: 'dummy-quote', upstream: 0, here: 7 },
        { name: 'gramine-premain', upstream: 0, here: 7 },
      ]);
    },
  );

  it('nothing of a secret is in the services’ logs', () => {
    const text = marblerun.siegel.logText();
    expect(text).not.toContain(FROM_VAULT);
    expect(text).not.toMatch(/BEGIN (EC )?PRIVATE KEY/);
  });
});
