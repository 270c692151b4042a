import type { AuditEvent } from '#contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AttestationDevice } from './gramine/attestation-device.js';
import { certificateOver, newIdentity, type Generation } from './gramine/ra-tls-identity.js';
import { runLibrary } from './gramine/library-client.js';
import { MbedTlsClient } from './gramine/mbedtls-client.js';
import {
  asEnvironmentString,
  NotProvisioned,
  openConnection,
  provision,
  REQUEST,
  RESPONSE,
} from './gramine/reference-client.js';
import {
  allGone,
  ANY_PORT,
  envSecret,
  fileSecret,
  identityOf,
  manifestOf,
  measured,
  type EventTail,
  type RunningSiegel,
  SiegelCommand,
  signal,
  startSiegel,
  temporaryFolder,
} from './harness/index.js';
import { ecKeys } from './ra-tls/certificate-builder.js';
import type { PlatformOptions, QuoteRequest } from '#simulator';

jest.setTimeout(120_000);

const KEY = randomBytes(16);
const TEXT = 'A_SIMPLE_SECRET';
const LONGEST = 'x'.repeat(4_095);
const SECRETS = {
  text: TEXT,
  longest: LONGEST,
  'too-long': `${LONGEST}x`,
  'key-hex': KEY.toString('hex'),
  'key-base64': KEY.toString('base64'),
  'key-short': KEY.subarray(1).toString('hex'),
  raw: 'any bytes',
};
const one = (gramine: object, ...secrets: object[]) => ({ gramine, secrets });
const MANIFEST = manifestOf({
  'env-string': one({ delivery: 'env-string' }, envSecret('text', 'TEXT')),
  longest: one({ delivery: 'env-string' }, envSecret('longest', 'TEXT')),
  'too-long': one({ delivery: 'env-string' }, envSecret('too-long', 'TEXT')),
  raw16: one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('key-hex', '/key')),
  hex16: one({ delivery: 'hex16', encoding: 'base64' }, fileSecret('key-base64', '/key')),
  'short-key': one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('key-short', '/key')),
  'wrong-encoding': one({ delivery: 'raw16', encoding: 'hex' }, fileSecret('text', '/key')),
  'one-of-two': one({ delivery: 'raw', secret: 'raw' }, fileSecret('raw', '/raw'), envSecret('text', 'TEXT')),
  bundle: {
    ...one({ delivery: 'json-bundle' }, envSecret('text', 'TEXT'), fileSecret('raw', '/raw')),
    env: { MODE: 'prod' },
  },
  claimed: {
    ...one({ delivery: 'env-string' }, envSecret('text', 'TEXT')),
    identity: { mrenclave: [measured('claimed')], claims: { region: [Buffer.from('eu').toString('hex')] } },
  },
  native: { secrets: [envSecret('text', 'TEXT')] },
});

/** What `siegel gramine ca` writes for the trusted files of an enclave. */
async function exported(siegel: RunningSiegel): Promise<string> {
  const file = join(siegel.state, 'gramine-ca.crt');
  const command = new SiegelCommand(['gramine', 'ca', '--state', siegel.state, '--output', file]);
  expect((await command.ended()).code).toBe(0);
  return readFileSync(file, 'utf8');
}

interface Change {
  readonly generation?: Generation;
  readonly report?: QuoteRequest;
  readonly machine?: PlatformOptions;
  readonly servername?: string;
}

describe('Gramine Secret Provisioning', () => {
  let siegel: RunningSiegel;
  let port: number;
  let ca: string;
  let tail: EventTail;
  const devices: AttestationDevice[] = [];

  beforeAll(async () => {
    siegel = await startSiegel({
      args: [
        '--gramine-port',
        '0',
        '--env',
        'SIEGEL_TENANT_HOSTS=tenant.example=default',
        '--env',
        'SIEGEL_GRAMINE_TIMEOUT_MS=1500',
      ],
      secrets: SECRETS,
      manifest: MANIFEST,
    });
    port = Number(siegel.endpoints.gramine?.split(':')[1]);
    const answer = await siegel.service.call('GET', '/v1/gramine/ca');
    ca = (answer.body as { pem: string }).pem;
    expect(await exported(siegel)).toBe(ca);
    tail = await siegel.log.tail();
  });
  afterEach(async () => {
    for (const device of devices.splice(0)) await device.close();
  });
  afterAll(() => siegel?.stop());

  function device(word: string, { report = {}, machine = {} }: Change = {}): AttestationDevice {
    const platform = siegel.machines.sgx.platform({ name: 'demo', ...machine });
    const made = new AttestationDevice((reportData) =>
      platform.quote({ ...identityOf(word), ...report, reportData } as QuoteRequest),
    );
    devices.push(made);
    return made;
  }
  async function run(word: string, change: Change = {}) {
    const identity = await newIdentity(device(word, change), change.generation ?? 'v1.9');
    return provision(identity, { port, ca, ...(change.servername ? { servername: change.servername } : {}) });
  }
  const last = async (): Promise<AuditEvent[]> =>
    (await tail.next()).filter(({ type }) => type.startsWith('attestation.'));
  /** The run gets nothing, and exactly one event says why. */
  async function refused(attempt: () => Promise<unknown>): Promise<AuditEvent> {
    await tail.next();
    await expect(attempt()).rejects.toThrow(NotProvisioned);
    const events = await last();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: 'attestation.denied', data: { protocol: 'gramine' } });
    return events[0]!;
  }

  describe('an approved enclave', () => {
    it.each([
      ['v1.3', 'sha256-spki', 1],
      ['v1.7', 'sha256-spki', 1],
      ['v1.9', 'dice-claims', 2],
    ] as const)(
      'with the library of %s has its secret, and the log its event',
      async (generation, binding, quotes) => {
        await tail.next();
        const source = device('env-string');
        const identity = await newIdentity(source, generation);
        const { secret, received } = await provision(identity, { port, ca });
        expect(source.reportData).toHaveLength(quotes);
        expect(asEnvironmentString(secret)).toBe(TEXT);
        expect(received).toEqual(
          Buffer.concat([RESPONSE, Buffer.of(0, 0, 0, TEXT.length + 1), Buffer.from(`${TEXT}\0`)]),
        );
        const [event, ...others] = await last();
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
      expect((await run(workload)).secret).toEqual(bytes);
    });

    it('a bundle holds all secrets and the plain environment', async () => {
      const bundle = JSON.parse(asEnvironmentString((await run('bundle')).secret)) as unknown;
      expect(bundle).toEqual({
        env: { MODE: 'prod', TEXT },
        files: { '/raw': Buffer.from('any bytes').toString('base64') },
      });
    });

    it('what its protocol does not carry is neither read nor logged', async () => {
      await tail.next();
      await run('one-of-two');
      expect(await last()).toMatchObject([{ data: { grants: [{ alias: 'raw' }] } }]);
    });

    it('can be asked for what it claims about itself, in evidence that has room for it', async () => {
      const claiming = async (region: string) =>
        provision(await newIdentity(device('claimed'), 'v1.9', { region, other: 'x' }), { port, ca });
      expect(asEnvironmentString((await claiming('eu')).secret)).toBe(TEXT);
      for (const attempt of [() => claiming('us'), () => run('claimed', { generation: 'v1.7' })]) {
        const event = await refused(attempt);
        expect(event.reason?.code).toBe('CONFIGURATION_NOT_ALLOWED');
        expect(event.reason?.message).toContain('identity.claims.region');
      }
    });

    it('by TLS 1.2 and by TLS 1.3, without a session ticket', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const identity = await newIdentity(device('env-string'), 'v1.9');
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
      expect((await run('raw16', { servername: 'raw16.tenant.example' })).secret).toEqual(KEY);
      const event = await refused(() => run('raw16', { servername: 'hex16.tenant.example' }));
      expect(event).toMatchObject({ reason: { code: 'MEASUREMENT_NOT_ALLOWED' }, workload: 'hex16' });
    });

    it('comes in crowds: forty connections at once, each with its own answer', async () => {
      await tail.next();
      const source = device('env-string');
      const identities = [];
      for (let at = 0; at < 40; at++) identities.push(await newIdentity(source, 'v1.7'));
      const answers = await Promise.all(identities.map((identity) => provision(identity, { port, ca })));
      expect(answers.every(({ secret }) => asEnvironmentString(secret) === TEXT)).toBe(true);
      const events = await last();
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
      const event = await refused(() => run(word, change));
      expect(event.reason?.code).toBe(code);
      expect(event.mrenclave).toMatch(/^[0-9a-f]{64}$/);
    });

    it('a refusal for the size of a secret keeps the conditions that held', async () => {
      const event = await refused(() => run('short-key'));
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
      const event = await refused(() => run('raw16'));
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
      const event = await refused(() => run('env-string', { machine }));
      expect(event.reason?.code).toBe('PCK_REVOKED');
    });

    it.each(['v1.7', 'v1.9'] as const)(
      "another's evidence in an own certificate (%s)",
      async (generation) => {
        const keys = ecKeys('P-384');
        const certificate = await certificateOver(device('env-string'), generation, keys, ecKeys('P-384'));
        const event = await refused(() => provision({ keys, certificate }, { port, ca }));
        expect(event.reason?.code).toBe(generation === 'v1.9' ? 'KEY_NOT_IN_CLAIMS' : 'BINDING_MISMATCH');
      },
    );

    it('a certificate that was served before', async () => {
      const identity = await newIdentity(device('env-string'), 'v1.9');
      expect(asEnvironmentString((await provision(identity, { port, ca })).secret)).toBe(TEXT);
      const event = await refused(() => provision(identity, { port, ca }));
      expect(event).toMatchObject({ reason: { code: 'KEY_SERVED_BEFORE' }, workload: 'env-string' });
    });

    it('a certificate without its private key: the handshake ends', async () => {
      const { certificate } = await newIdentity(device('env-string'), 'v1.7');
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
      const identity = generation && (await newIdentity(device('env-string'), generation));
      const event = await refused(() => provision(identity, { port, ca, request }));
      expect(event.reason?.code).toBe(code);
    });

    it('a certificate without evidence', async () => {
      const keys = ecKeys('P-384');
      const { certificateWith } = await import('./ra-tls/certificate-builder.js');
      const certificate = certificateWith({ keys, extensions: [] });
      const event = await refused(() => provision({ keys, certificate }, { port, ca }));
      expect(event.reason?.code).toBe('EVIDENCE_MISSING');
    });
  });

  describe('the port', () => {
    it('presents a leaf and a rotating intermediate below the exported root', async () => {
      const { chain } = await run('env-string');
      const root = new X509Certificate(ca);
      const [leaf, intermediate] = chain.map((raw) => new X509Certificate(raw));
      expect(leaf?.checkIssued(intermediate!)).toBe(true);
      expect(intermediate?.checkIssued(root)).toBe(true);
      expect(intermediate?.verify(root.publicKey)).toBe(true);
      expect(leaf?.subjectAltName).toContain('DNS:*.tenant.example');
      const days = (date: Date) => (date.getTime() - Date.now()) / 86_400_000;
      expect(days(root.validToDate)).toBeGreaterThan(7_000);
      expect(days(intermediate!.validToDate)).toBeLessThan(91);
      expect(days(leaf!.validToDate)).toBeLessThan(8);
      // A root of its own: a mesh certificate is worth nothing here, and the reverse.
      expect(ca).not.toBe(readFileSync(siegel.layout.caCertificate, 'utf8').trim());
    });

    it('resumes no session', async () => {
      const identity = await newIdentity(device('env-string'), 'v1.7');
      const tls = { maxVersion: 'TLSv1.2' as const };
      const first = await openConnection(identity, { port, ca, tls });
      const session = first.getSession()!;
      first.destroy();
      const second = await openConnection(identity, { port, ca, tls: { ...tls, session } });
      expect(second.isSessionReused()).toBe(false);
      second.destroy();
    });

    it('ends who says nothing, before and after the handshake, and serves others meanwhile', async () => {
      await tail.next();
      const silent = connectTcp(port, '127.0.0.1');
      const mute = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca });
      const ended = Promise.all([once(silent, 'close'), once(mute, 'close')]);
      mute.resume();
      silent.resume().on('error', () => undefined);
      expect(asEnvironmentString((await run('env-string')).secret)).toBe(TEXT);
      await ended;
      // Nobody was refused anything.
      expect((await last()).map(({ outcome }) => outcome)).toEqual(['granted']);
    });
  });

  const library = process.env['GRAMINE_SECRET_PROV_LIB'];
  if (library === undefined)
    process.stdout.write(
      'GRAMINE_SECRET_PROV_LIB names no library of Gramine: only the reference client is run\n',
    );

  (library === undefined ? describe.skip : describe)('the library of Gramine itself', () => {
    const at = () => ({ server: `localhost:${port}`, caFile: join(siegel.state, 'gramine-ca.crt') });

    it('has its secret in the environment', async () => {
      const answer = await runLibrary(library!, device('env-string'), at());
      expect(answer).toMatchObject({ code: 0, out: `${TEXT}\n` });
    });

    it('has its key in /dev/attestation/keys', async () => {
      const source = device('raw16');
      writeFileSync(source.path('keys/mine'), '');
      await runLibrary(library!, source, { ...at(), keyName: 'mine' });
      expect(readFileSync(source.path('keys/mine'))).toEqual(KEY);
    });

    it('ends when it is refused, and the log says why', async () => {
      await tail.next();
      expect((await runLibrary(library!, device('stranger'), at())).code).not.toBe(0);
      expect(await last()).toMatchObject([{ reason: { code: 'MEASUREMENT_NOT_ALLOWED' } }]);
    });
  });

  const mbedTls = MbedTlsClient.compile();
  afterAll(() => mbedTls?.close());
  if (mbedTls === undefined)
    process.stdout.write('no C compiler or no libmbedtls-dev: the client on Mbed TLS is not run\n');

  (mbedTls === undefined ? describe.skip : describe)('a client on Mbed TLS, as Gramine has it', () => {
    const to = (host: string) => ({ port, host, caFile: join(siegel.state, 'gramine-ca.crt') });

    it.each(['v1.3', 'v1.7', 'v1.9'] as const)(
      'accepts our chain and has its secret (%s)',
      async (generation) => {
        const identity = await newIdentity(device('raw16'), generation);
        const { code, out, err } = await mbedTls!.run(identity, to('localhost'));
        expect({ code, err }).toEqual({ code: 0, err: '' });
        expect(out).toMatch(new RegExp(`^TLSv1\\.[23] 16 ${KEY.toString('hex')}\n$`));
      },
    );

    it('finds any workload of a listed host under the one certificate', async () => {
      const identity = await newIdentity(device('raw16'), 'v1.7');
      expect((await mbedTls!.run(identity, to('raw16.tenant.example'))).code).toBe(0);
    });

    it('refuses another host name, and gets nothing where it is refused itself', async () => {
      const identity = await newIdentity(device('stranger'), 'v1.7');
      const elsewhere = await mbedTls!.run(identity, to('elsewhere.example'));
      expect(elsewhere).toMatchObject({ code: 1, out: '', err: expect.stringContaining('handshake') });
      expect(await mbedTls!.run(identity, to('localhost'))).toMatchObject({ code: 1, out: '' });
    });
  });

  it('answers whom it has begun to answer before it ends', async () => {
    const identity = await newIdentity(device('env-string'), 'v1.7');
    const pid = siegel.pid('key-release');
    const idle = await openConnection(await newIdentity(device('env-string'), 'v1.7'), { port, ca });
    let pending: ReturnType<typeof provision>;
    await siegel.frozen('quote-verifier', async () => {
      pending = provision(identity, { port, ca });
      await sleep(500);
      signal(pid, 'SIGTERM');
      await once(idle, 'close');
      await expect(openConnection(identity, { port, ca })).rejects.toThrow(/ECONNREFUSED/);
    });
    expect(asEnvironmentString((await pending!).secret)).toBe(TEXT);
    await allGone([pid]);
    await siegel.ready();
  });

  it('keeps its root over a crash, as enclaves have it in their measurement', async () => {
    await siegel.kill('key-release');
    await siegel.ready();
    const answer = await siegel.service.call('GET', '/v1/gramine/ca');
    expect((answer.body as { pem: string }).pem).toBe(ca);
    expect(asEnvironmentString((await run('env-string')).secret)).toBe(TEXT);
  });
});

describe('a server name that is none', () => {
  it('ends the start with the name of the variable', async () => {
    const state = temporaryFolder();
    const names = 'SIEGEL_GRAMINE_TLS_NAMES=siegel.example,not_a_name';
    const command = new SiegelCommand([
      ...['up', '--json', '--state', state, ...ANY_PORT, '--gramine-port', '0'],
      ...['--env', names],
    ]);
    try {
      expect((await command.ended()).code).toBe(1);
      expect(command.stdout).toContain('SIEGEL_GRAMINE_TLS_NAMES');
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });
});
