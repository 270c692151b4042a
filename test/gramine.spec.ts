import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Change,
  GramineDeployment,
  KEY,
  LONGEST,
  MANIFEST,
  SECRETS,
  TEXT,
} from './gramine/deployment.js';
import { certificateOver, newIdentity } from './gramine/ra-tls-identity.js';
import {
  asEnvironmentString,
  openConnection,
  provision,
  REQUEST,
  RESPONSE,
} from './gramine/reference-client.js';
import type { RunningSiegel } from './harness/index.js';
import { certificateWith, ecKeys } from './ra-tls/certificate-builder.js';

jest.setTimeout(120_000);

describe('Gramine Secret Provisioning', () => {
  let gramine: GramineDeployment;
  let siegel: RunningSiegel;
  let port: number;
  let ca: string;

  beforeAll(async () => {
    gramine = await GramineDeployment.start();
    ({ siegel, port, ca } = gramine);
  });
  afterEach(() => gramine?.closeDevices());
  afterAll(() => siegel?.stop());

  describe('an approved enclave', () => {
    it.each([
      ['v1.3', 'sha256-spki', 1],
      ['v1.7', 'sha256-spki', 1],
      ['v1.9', 'dice-claims', 2],
    ] as const)(
      'with the library of %s has its secret, and the log its event',
      async (generation, binding, quotes) => {
        await gramine.tail.next();
        const source = gramine.device('env-string');
        const identity = await newIdentity(source, generation);
        const { secret, received } = await provision(identity, { port, ca });
        expect(source.reportData).toHaveLength(quotes);
        expect(asEnvironmentString(secret)).toBe(TEXT);
        expect(received).toEqual(
          Buffer.concat([RESPONSE, Buffer.of(0, 0, 0, TEXT.length + 1), Buffer.from(`${TEXT}\0`)]),
        );
        const [event, ...others] = await gramine.last();
        expect(others).toEqual([]);
        expect(event).toMatchObject({
          type: 'attestation.granted',
          outcome: 'granted',
          workload: 'env-string',
          simulated: true,
          data: {
            protocol: 'gramine',
            binding,
            challenge: false,
            grants: [{ alias: 'TEXT', objectName: 'text' }],
          },
        });
        expect(JSON.stringify(event)).not.toContain(TEXT);
      },
    );

    it.each([
      ['longest', Buffer.from(`${LONGEST}\0`)],
      ['raw16', KEY],
      ['hex16', Buffer.from(`${KEY.toString('hex')}\0`)],
      ['one-of-two', Buffer.from('any bytes')],
    ])('%s: exactly these bytes', async (workload, bytes) => {
      expect((await gramine.run(workload)).secret).toEqual(bytes);
    });

    it('a bundle holds all secrets and the plain environment', async () => {
      const bundle = JSON.parse(asEnvironmentString((await gramine.run('bundle')).secret)) as unknown;
      expect(bundle).toEqual({
        env: { MODE: 'prod', TEXT },
        files: { '/raw': Buffer.from('any bytes').toString('base64') },
      });
    });

    it('what its protocol does not carry is neither read nor logged', async () => {
      await gramine.tail.next();
      await gramine.run('one-of-two');
      expect(await gramine.last()).toMatchObject([{ data: { grants: [{ alias: 'raw' }] } }]);
    });

    it('can be asked for what it claims about itself, in evidence that has room for it', async () => {
      const claiming = async (region: string) =>
        provision(await newIdentity(gramine.device('claimed'), 'v1.9', { region, other: 'x' }), { port, ca });
      expect(asEnvironmentString((await claiming('eu')).secret)).toBe(TEXT);
      for (const attempt of [() => claiming('us'), () => gramine.run('claimed', { generation: 'v1.7' })]) {
        const event = await gramine.refused(attempt);
        expect(event.reason?.code).toBe('CONFIGURATION_NOT_ALLOWED');
        expect(event.reason?.message).toContain('identity.claims.region');
      }
    });

    it('by TLS 1.2 and by TLS 1.3, without a session ticket', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const identity = await newIdentity(gramine.device('env-string'), 'v1.9');
        let tickets = 0;
        const socket = await openConnection(identity, {
          port,
          ca,
          tls: { minVersion: version, maxVersion: version },
        });
        socket.on('session', () => tickets++);
        expect(socket.getProtocol()).toBe(version);
        socket.write(REQUEST);
        const [answer] = (await once(socket, 'data')) as [Buffer];
        expect(answer.subarray(0, RESPONSE.length)).toEqual(RESPONSE);
        // Node reports a ticket some turns after the data behind it.
        await sleep(300);
        socket.destroy();
        expect(tickets).toBe(0);
      }
    });

    it('is told by its SNI which workload it is', async () => {
      expect((await gramine.run('raw16', { servername: 'raw16.tenant.example' })).secret).toEqual(KEY);
      const event = await gramine.refused(() => gramine.run('raw16', { servername: 'hex16.tenant.example' }));
      expect(event).toMatchObject({ reason: { code: 'MEASUREMENT_NOT_ALLOWED' }, workload: 'hex16' });
    });

    it('comes in crowds: forty connections at once, each with its own answer', async () => {
      await gramine.tail.next();
      const source = gramine.device('env-string');
      const identities = [];
      for (let at = 0; at < 40; at++) identities.push(await newIdentity(source, 'v1.7'));
      const answers = await Promise.all(identities.map((identity) => provision(identity, { port, ca })));
      expect(answers.every(({ secret }) => asEnvironmentString(secret) === TEXT)).toBe(true);
      const events = await gramine.last();
      expect(events.map(({ outcome }) => outcome)).toEqual(Array(40).fill('granted'));
      expect(new Set(events.map(({ session }) => session)).size).toBe(40);
    });
  });

  describe('refuses, and the log says why', () => {
    it.each<readonly [string, string, string, Change]>([
      ['a wrong measurement', 'stranger', 'MEASUREMENT_NOT_ALLOWED', {}],
      ['a debug enclave', 'env-string', 'DEBUG_ENCLAVE', { report: { debug: true } as never }],
      [
        'a TCB below policy',
        'env-string',
        'TCB_STATUS_NOT_ACCEPTED',
        { machine: { name: 'old', tcbStatus: 'OutOfDate' } },
      ],
      ['a workload without a gramine section', 'native', 'GRAMINE_NOT_GRANTED', { generation: 'v1.7' }],
      ['a string that is too long', 'too-long', 'GRAMINE_SECRET_TOO_LONG', {}],
      ['a key of 15 bytes', 'short-key', 'GRAMINE_KEY_SIZE', {}],
      ['a key that is not hex', 'wrong-encoding', 'GRAMINE_ENCODING', {}],
    ])('%s', async (_what, word, code, change) => {
      const event = await gramine.refused(() => gramine.run(word, change));
      expect(event.reason?.code).toBe(code);
      expect(event.mrenclave).toMatch(/^[0-9a-f]{64}$/);
    });

    it('a refusal for the size of a secret keeps the conditions that held', async () => {
      const event = await gramine.refused(() => gramine.run('short-key'));
      expect(event).toMatchObject({ workload: 'short-key', reason: { code: 'GRAMINE_KEY_SIZE' } });
      const { conditions } = event.data as { conditions: { ok: boolean }[] };
      expect(conditions.length).toBeGreaterThan(3);
      expect(conditions.every(({ ok }) => ok)).toBe(true);
      expect(JSON.stringify(event)).not.toContain(SECRETS['key-short']);
    });

    it('an SVN below the floor', async () => {
      const manifest = JSON.parse(MANIFEST) as { workloads: Record<string, { identity: object }> };
      const { version } = (await siegel.adminCall('GET', '/v1/tenants/default/manifest')).body as {
        version: number;
      };
      const floor = structuredClone(manifest);
      Object.assign(floor.workloads['raw16']!.identity, { isvsvn: 4 });
      await siegel.admin.setManifest('default', JSON.stringify(floor), version);
      const event = await gramine.refused(() => gramine.run('raw16'));
      expect(event.reason?.code).toBe('ISV_SVN_TOO_LOW');
      await siegel.admin.setManifest('default', JSON.stringify(manifest), version + 1);
    });

    it('a revoked PCK certificate', async () => {
      const machine = { name: 'revoked', fmspc: 'ee00deadbeef' };
      const platform = siegel.machines.sgx.platform(machine);
      siegel.machines.addBundle(
        'revoked',
        siegel.machines.sgx.collateral({ fmspc: machine.fmspc, revokedPcks: [platform.pck.profile.serial] }),
      );
      const event = await gramine.refused(() => gramine.run('env-string', { machine }));
      expect(event.reason?.code).toBe('PCK_REVOKED');
    });

    it.each(['v1.7', 'v1.9'] as const)(
      "another's evidence in an own certificate (%s)",
      async (generation) => {
        const keys = ecKeys('P-384');
        const certificate = await certificateOver(
          gramine.device('env-string'),
          generation,
          keys,
          ecKeys('P-384'),
        );
        const event = await gramine.refused(() => provision({ keys, certificate }, { port, ca }));
        expect(event.reason?.code).toBe(generation === 'v1.9' ? 'KEY_NOT_IN_CLAIMS' : 'BINDING_MISMATCH');
      },
    );

    it('a certificate that was served before', async () => {
      const identity = await newIdentity(gramine.device('env-string'), 'v1.9');
      expect(asEnvironmentString((await provision(identity, { port, ca })).secret)).toBe(TEXT);
      const event = await gramine.refused(() => provision(identity, { port, ca }));
      expect(event).toMatchObject({ reason: { code: 'KEY_SERVED_BEFORE' }, workload: 'env-string' });
    });

    it('a certificate without its private key: the handshake ends', async () => {
      const { certificate } = await newIdentity(gramine.device('env-string'), 'v1.7');
      const thief = ecKeys('P-384');
      await expect(provision({ keys: thief, certificate }, { port, ca })).rejects.toThrow(
        /key values mismatch/i,
      );
    });

    it.each([
      ['no certificate', undefined, REQUEST, 'CERTIFICATE_MISSING'],
      [
        'another request',
        'v1.7',
        Buffer.from('SECRET_PROVISION_RA_TLS_REQUEST_V2\0'),
        'GRAMINE_REQUEST_UNKNOWN',
      ],
      [
        'more than the request',
        'v1.7',
        Buffer.concat([REQUEST, Buffer.from('MORE\0')]),
        'GRAMINE_REQUEST_UNKNOWN',
      ],
    ] as const)('%s', async (_what, generation, request, code) => {
      const identity = generation && (await newIdentity(gramine.device('env-string'), generation));
      const event = await gramine.refused(() => provision(identity, { port, ca, request }));
      expect(event.reason?.code).toBe(code);
    });

    it('a certificate without evidence', async () => {
      const keys = ecKeys('P-384');
      const certificate = certificateWith({ keys, extensions: [] });
      const event = await gramine.refused(() => provision({ keys, certificate }, { port, ca }));
      expect(event.reason?.code).toBe('EVIDENCE_MISSING');
    });
  });
});
