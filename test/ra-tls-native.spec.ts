import type { RaTlsResponse } from '#contracts';
import { PublicKey, toPem } from '#pki';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import {
  certificateFor,
  envSecret,
  fileSecret,
  identityOf,
  manifestOf,
  measured,
  Refusals,
  ROOT,
  type RunningSiegel,
  startSiegel,
} from './harness/index.js';
import { certificateWith, ecKeys, OIDS, spkiOf } from './ra-tls/certificate-builder.js';
import { type ClientIdentity, type Dialect, identityIn, type Quoting } from './ra-tls/dialect-identities.js';
import { overMutualTls, pemOf } from './ra-tls/mutual-tls.js';

jest.setTimeout(120_000);

const SECRET = 'only over this connection';
const any = { binding: { convention: ['sha256-spki', 'dice-claims'] } };
const secrets = [envSecret('text', 'TEXT')];
const MANIFEST = manifestOf({
  app: {
    ...any,
    secrets: [...secrets, fileSecret('text', '/run/secrets/text')],
    certificate: certificateFor('app'),
    env: { MODE: 'prod' },
  },
  plain: { secrets },
  claimed: {
    ...any,
    secrets,
    identity: { mrenclave: [measured('claimed')], claims: { region: [Buffer.from('eu').toString('hex')] } },
  },
  newer: { secrets, identity: { mrenclave: [measured('newer')], isvsvn: 4 } },
  fresh: { secrets, binding: { challenge: 'required' } },
});
const DIALECTS: readonly (readonly [Dialect, string])[] = [
  ['gramine', 'sha256-spki'],
  ['dice', 'dice-claims'],
  ['intel-sdk', 'dice-claims'],
  ['rats-tls', 'sha256-spki'],
  ['occlum', 'sha256-spki'],
];

describe('RA-TLS on the native endpoint', () => {
  let siegel: RunningSiegel;
  let refusals: Refusals;

  beforeAll(async () => {
    siegel = await startSiegel({ secrets: { text: SECRET }, manifest: MANIFEST });
    refusals = await Refusals.of(siegel, SECRET);
  });
  afterAll(() => siegel?.stop());

  const quoting =
    (word: string, report: QuoteRequest = {}, machine: PlatformOptions = {}): Quoting =>
    (reportData) =>
      siegel.machines.sgx
        .platform({ name: 'demo', ...machine })
        .quote({ ...identityOf(word), ...report, reportData } as QuoteRequest);
  const released = async (identity: ClientIdentity, path?: string): Promise<RaTlsResponse> => {
    const answer = await overMutualTls(siegel, identity, path === undefined ? {} : { path });
    expect({ status: answer.status, problem: answer.status === 200 ? '' : answer.text }).toEqual({
      status: 200,
      problem: '',
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    return answer.body as RaTlsResponse;
  };

  describe('an approved enclave', () => {
    it.each(DIALECTS)(
      'with a certificate of %s has its release over its connection',
      async (dialect, binding) => {
        const tail = await siegel.log.tail();
        const identity = identityIn(dialect, quoting('app'));
        const { payload, workload, simulated, token, promise } = await released(identity);
        expect({ workload, simulated }).toEqual({ workload: 'app', simulated: true });
        expect(payload.env).toEqual({ MODE: 'prod', TEXT: SECRET });
        expect(payload.files).toEqual([
          { path: '/run/secrets/text', mode: '0400', content: Buffer.from(SECRET).toString('base64') },
        ]);
        // Token and certificate are for the key of the connection, and for no other.
        const key = PublicKey.fromSpki(spkiOf(identity.keys));
        const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as object;
        expect(claims).toMatchObject({ cnf: { jkt: key.thumbprint } });
        const issued = new X509Certificate(payload.certificate!.chainPem);
        expect(issued.publicKey.equals(identity.keys.publicKey)).toBe(true);
        const [event, ...others] = (await tail.next()).filter(({ type }) => type.startsWith('attestation.'));
        expect(others).toEqual([]);
        expect(event).toMatchObject({
          type: 'attestation.granted',
          workload: 'app',
          data: { protocol: 'ra-tls', binding, boundKey: key.thumbprint, challenge: false },
        });
        expect(promise).toMatchObject({ log: expect.stringContaining('default') });
        expect(JSON.stringify(event)).not.toContain(SECRET);
      },
    );

    it('may come again with the same certificate: each handshake proves its key anew', async () => {
      const identity = identityIn('gramine', quoting('plain'));
      const [first, second] = [await released(identity), await released(identity)];
      expect(second.payload.env).toEqual(first.payload.env);
      expect(second.session).not.toBe(first.session);
    });

    it('names its workload, and is believed only where the manifest has it', async () => {
      const identity = identityIn('dice', quoting('app'));
      expect((await released(identity, '/v1/attest/ra-tls?workload=app')).workload).toBe('app');
      const answer = await overMutualTls(siegel, identity, { path: '/v1/attest/ra-tls?workload=plain' });
      await refusals.expectDenied(answer, 'RELEASE_DENIED', 'MEASUREMENT_NOT_ALLOWED');
    });

    it('can be asked for what it claims about itself', async () => {
      const claiming = (region: string) => identityIn('dice', quoting('claimed'), { claimed: { region } });
      expect((await released(claiming('eu'))).workload).toBe('claimed');
      const answer = await overMutualTls(siegel, claiming('us'));
      await refusals.expectDenied(answer, 'RELEASE_DENIED', 'CONFIGURATION_NOT_ALLOWED');
    });

    it('needs nothing but curl: the line of docs/wrappers/ra-tls.md', async () => {
      const page = readFileSync(join(ROOT, 'docs/wrappers/ra-tls.md'), 'utf8');
      const line = /^ {4}(curl .+)$/m.exec(page)?.[1] ?? '';
      expect(line).toContain('--cert enclave.pem --key enclave.key');
      const folder = mkdtempSync(join(tmpdir(), 'siegel-curl-'));
      try {
        const { cert, key } = pemOf(identityIn('dice', quoting('app')));
        writeFileSync(join(folder, 'enclave.pem'), cert);
        writeFileSync(join(folder, 'enclave.key'), key, { mode: 0o600 });
        writeFileSync(join(folder, 'ca.pem'), readFileSync(siegel.layout.caCertificate));
        const command = line.replace('https://siegel.example', siegel.endpoints.release);
        const run = promisify(execFile);
        const missing = await run('curl', ['--version']).then(
          () => false,
          () => true,
        );
        if (missing) {
          process.stderr.write('curl is not installed: the line of the documentation was not run\n');
          return;
        }
        const { stdout } = await run('sh', ['-c', command], { cwd: folder, timeout: 20_000 });
        expect((JSON.parse(stdout) as RaTlsResponse).payload.env).toEqual({ MODE: 'prod', TEXT: SECRET });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });

  describe('refuses, and the log says why', () => {
    it.each<readonly [string, string, string, QuoteRequest, PlatformOptions]>([
      ['a wrong measurement', 'stranger', 'MEASUREMENT_NOT_ALLOWED', {}, {}],
      ['a debug enclave', 'app', 'DEBUG_ENCLAVE', { debug: true } as QuoteRequest, {}],
      ['an SVN below the floor', 'newer', 'ISV_SVN_TOO_LOW', {}, {}],
      ['a TCB below policy', 'app', 'TCB_STATUS_NOT_ACCEPTED', {}, { name: 'old', tcbStatus: 'OutOfDate' }],
    ])('%s', async (_what, word, code, report, machine) => {
      const answer = await overMutualTls(siegel, identityIn('gramine', quoting(word, report, machine)));
      await refusals.expectDenied(answer, 'RELEASE_DENIED', code);
    });

    it('a workload that demands a challenge, which no certificate can hold', async () => {
      const answer = await overMutualTls(siegel, identityIn('gramine', quoting('fresh')));
      await refusals.expectDenied(answer, 'CHALLENGE_REQUIRED', 'CHALLENGE_REQUIRED');
    });

    it('a dialect whose binding the manifest does not name', async () => {
      const answer = await overMutualTls(siegel, identityIn('dice', quoting('plain')));
      await refusals.expectDenied(answer, 'RELEASE_DENIED', 'BINDING_NOT_ALLOWED');
    });

    it('a revoked PCK certificate', async () => {
      const machine = { name: 'revoked', fmspc: 'ee00deadbeef' };
      const { sgx } = siegel.machines;
      const { serial } = sgx.platform(machine).pck.profile;
      siegel.machines.addBundle('revoked', sgx.collateral({ fmspc: machine.fmspc, revokedPcks: [serial] }));
      const answer = await overMutualTls(siegel, identityIn('gramine', quoting('app', {}, machine)));
      await refusals.expectDenied(answer, 'EVIDENCE_REJECTED', 'PCK_REVOKED');
    });

    it.each([
      ['gramine', 'BINDING_MISMATCH'],
      ['dice', 'KEY_NOT_IN_CLAIMS'],
      ['occlum', 'BINDING_MISMATCH'],
    ] as const)("another's evidence in an own certificate (%s)", async (dialect, code) => {
      const boundTo = dialect === 'occlum' ? undefined : ecKeys();
      const other = boundTo ?? identityIn('occlum', quoting('app')).keys;
      const answer = await overMutualTls(siegel, identityIn(dialect, quoting('app'), { boundTo: other }));
      await refusals.expectDenied(answer, 'BINDING_MISMATCH', code);
    });

    it('a downgrade: malformed DICE evidence beside good evidence of an older kind', async () => {
      const keys = ecKeys();
      const { certificate } = identityIn('gramine', quoting('app'));
      expect(certificate.includes(Buffer.from(OIDS.gramine, 'hex'))).toBe(true);
      const value = quoting('app')(
        Buffer.concat([PublicKey.fromKeyObject(keys.publicKey).spkiSha256, Buffer.alloc(32)]),
      );
      const extensions = [
        { oid: OIDS.gramine, value },
        { oid: OIDS.dice, value: Buffer.of(0xff) },
      ];
      const answer = await overMutualTls(siegel, {
        keys,
        certificate: certificateWith({ keys, extensions }),
      });
      await refusals.expectDenied(answer, 'EVIDENCE_MALFORMED', 'EVIDENCE_MALFORMED');
      const older = certificateWith({ keys, extensions: extensions.slice(0, 1) });
      expect((await released({ keys, certificate: older })).workload).toBe('app');
    });

    it.each<readonly [string, string, () => ClientIdentity | undefined]>([
      ['no certificate', 'CERTIFICATE_MISSING', () => undefined],
      ['a certificate without evidence', 'EVIDENCE_MISSING', () => withExtensions([])],
      [
        'evidence of two kinds',
        'EVIDENCE_AMBIGUOUS',
        () =>
          withExtensions([
            { oid: OIDS.gramine, value: Buffer.alloc(1_000) },
            { oid: OIDS.ratsTls, value: Buffer.alloc(1_000) },
          ]),
      ],
      [
        'a certificate larger than any',
        'CERTIFICATE_TOO_LARGE',
        () => withExtensions([{ oid: OIDS.gramine, value: Buffer.alloc(66_000) }]),
      ],
      [
        'a quote that is none',
        'QUOTE_TOO_SHORT',
        () => withExtensions([{ oid: OIDS.gramine, value: Buffer.alloc(1_000) }]),
      ],
    ])('%s', async (_what, code, make) => {
      const answer = await overMutualTls(siegel, make());
      await refusals.expectDenied(answer, 'EVIDENCE_MALFORMED', code);
    });

    it.each([
      ['a body', { body: '{}', contentType: 'application/json' }, 'REQUEST_MALFORMED'],
      ['a body of another type', { body: 'a=b', contentType: 'text/plain' }, 'CONTENT_TYPE_UNSUPPORTED'],
      [
        'a large body',
        { body: JSON.stringify('x'.repeat(70_000)), contentType: 'application/json' },
        'REQUEST_TOO_LARGE',
      ],
      ['an unknown parameter', { path: '/v1/attest/ra-tls?worklaod=app' }, 'REQUEST_MALFORMED'],
    ] as const)('%s, whatever the certificate', async (_what, change, code) => {
      const answer = await overMutualTls(siegel, identityIn('gramine', quoting('app')), change);
      await refusals.expectDenied(answer, code, code);
    });
  });

  it('a certificate without its private key gets nowhere: the handshake ends', async () => {
    const { certificate } = identityIn('gramine', quoting('app'));
    const { hostname, port } = new URL(siegel.endpoints.release);
    const thief = ecKeys('P-384');
    expect(() =>
      connect({
        port: Number(port),
        host: hostname,
        cert: toPem('CERTIFICATE', certificate),
        key: thief.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      }),
    ).toThrow(/key values mismatch/i);
    await refusals.expectNone();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('nothing is resumed by %s', async (version) => {
    const { port } = new URL(siegel.endpoints.release);
    const options = {
      port: Number(port),
      host: '127.0.0.1',
      servername: 'localhost',
      ca: readFileSync(siegel.layout.caCertificate),
      ...pemOf(identityIn('gramine', quoting('app'))),
      minVersion: version,
      maxVersion: version,
    };
    const ask = async (socket: TLSSocket): Promise<boolean> => {
      await once(socket, 'secureConnect');
      const reused = socket.isSessionReused();
      socket.write('GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
      socket.resume();
      await once(socket, 'close');
      return reused;
    };
    const sessions: Buffer[] = [];
    const first = connect(options);
    first.on('session', (session) => sessions.push(session));
    expect(await ask(first)).toBe(false);
    const session = sessions.at(-1);
    expect(await ask(connect({ ...options, ...(session ? { session } : {}) }))).toBe(false);
  });
});

function withExtensions(extensions: { oid: string; value: Buffer }[]): ClientIdentity {
  const keys = ecKeys();
  return { keys, certificate: certificateWith({ keys, extensions }) };
}
