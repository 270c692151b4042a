import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { GramineDeployment, KEY, TEXT } from './gramine/deployment.js';
import { runLibrary } from './gramine/library-client.js';
import { MbedTlsClient } from './gramine/mbedtls-client.js';
import { newIdentity } from './gramine/ra-tls-identity.js';
import { asEnvironmentString, openConnection, provision } from './gramine/reference-client.js';
import {
  allGone,
  ANY_PORT,
  type RunningSiegel,
  SiegelCommand,
  signal,
  temporaryFolder,
} from './harness/index.js';

jest.setTimeout(120_000);

describe('the Secret Provisioning port', () => {
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

  describe('the port', () => {
    it('presents a leaf and a rotating intermediate below the exported root', async () => {
      const { chain } = await gramine.run('env-string');
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
      const identity = await newIdentity(gramine.device('env-string'), 'v1.7');
      const tls = { maxVersion: 'TLSv1.2' as const };
      const first = await openConnection(identity, { port, ca, tls });
      const session = first.getSession()!;
      first.destroy();
      const second = await openConnection(identity, { port, ca, tls: { ...tls, session } });
      expect(second.isSessionReused()).toBe(false);
      second.destroy();
    });

    it('ends who says nothing, before and after the handshake, and serves others meanwhile', async () => {
      await gramine.tail.next();
      const silent = connectTcp(port, '127.0.0.1');
      const mute = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca });
      const ended = Promise.all([once(silent, 'close'), once(mute, 'close')]);
      mute.resume();
      silent.resume().on('error', () => undefined);
      expect(asEnvironmentString((await gramine.run('env-string')).secret)).toBe(TEXT);
      await ended;
      // Nobody was refused anything.
      expect((await gramine.last()).map(({ outcome }) => outcome)).toEqual(['granted']);
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
      const answer = await runLibrary(library!, gramine.device('env-string'), at());
      expect(answer).toMatchObject({ code: 0, out: `${TEXT}\n` });
    });

    it('has its key in /dev/attestation/keys', async () => {
      const source = gramine.device('raw16');
      writeFileSync(source.path('keys/mine'), '');
      await runLibrary(library!, source, { ...at(), keyName: 'mine' });
      expect(readFileSync(source.path('keys/mine'))).toEqual(KEY);
    });

    it('ends when it is refused, and the log says why', async () => {
      await gramine.tail.next();
      expect((await runLibrary(library!, gramine.device('stranger'), at())).code).not.toBe(0);
      expect(await gramine.last()).toMatchObject([{ reason: { code: 'MEASUREMENT_NOT_ALLOWED' } }]);
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
        const identity = await newIdentity(gramine.device('raw16'), generation);
        const { code, out, err } = await mbedTls!.run(identity, to('localhost'));
        expect({ code, err }).toEqual({ code: 0, err: '' });
        expect(out).toMatch(new RegExp(`^TLSv1\\.[23] 16 ${KEY.toString('hex')}\n$`));
      },
    );

    it('finds any workload of a listed host under the one certificate', async () => {
      const identity = await newIdentity(gramine.device('raw16'), 'v1.7');
      expect((await mbedTls!.run(identity, to('raw16.tenant.example'))).code).toBe(0);
    });

    it('refuses another host name, and gets nothing where it is refused itself', async () => {
      const identity = await newIdentity(gramine.device('stranger'), 'v1.7');
      const elsewhere = await mbedTls!.run(identity, to('elsewhere.example'));
      expect(elsewhere).toMatchObject({ code: 1, out: '', err: expect.stringContaining('handshake') });
      expect(await mbedTls!.run(identity, to('localhost'))).toMatchObject({ code: 1, out: '' });
    });
  });

  it('answers whom it has begun to answer before it ends', async () => {
    const identity = await newIdentity(gramine.device('env-string'), 'v1.7');
    const pid = siegel.pid('key-release');
    const idle = await openConnection(await newIdentity(gramine.device('env-string'), 'v1.7'), { port, ca });
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
    expect(asEnvironmentString((await gramine.run('env-string')).secret)).toBe(TEXT);
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
