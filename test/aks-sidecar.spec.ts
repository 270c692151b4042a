import { createPrivateKey, generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AuditEvent } from '#contracts';
import { TokenVerifier } from '#relying-party';
import { TokenKeys } from '../apps/quote-verifier/src/maa/token-keys.js';
import { AttestationDevice } from './gramine/attestation-device.js';
import {
  type EventTail,
  eventually,
  identityOf,
  manifestOf,
  measured,
  SiegelCommand,
  signal,
  TENANT,
  VAULT,
} from './harness/index.js';
import { MaaFront } from './maa/front.js';

jest.setTimeout(180_000);

const SYMMETRIC = randomBytes(32);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const RUNTIME = Buffer.from('{"purpose":"test"}');
let front: MaaFront;
let device: AttestationDevice;
let agent: Agent;
let tail: EventTail;
/** Measurement of the enclave that asks for evidence. */
let enclave = 'app';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** `siegel agent` as its own process, and a client of its port or socket. */
class Agent {
  private constructor(
    readonly command: SiegelCommand,
    private readonly listening: string,
  ) {}

  static async start(...args: string[]): Promise<Agent> {
    const command = new SiegelCommand(['agent', '--json', ...args]);
    await eventually('the agent', () => {
      if (command.exit) throw new Error(`it ended: ${command.stdout} ${command.stderr}`);
      return command.stdout.includes('\n');
    });
    return new Agent(command, (JSON.parse(command.stdout) as { listening: string }).listening);
  }

  call(
    method: string,
    path: string,
    body?: object | string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const where = this.listening.startsWith('/')
      ? { socketPath: this.listening }
      : { host: '127.0.0.1', port: Number(new URL(this.listening).port) };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { ...where, method, path, headers: { host: 'localhost', ...headers } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  }

  async stop(): Promise<void> {
    signal(this.command.pid, 'SIGTERM');
    await this.command.ended();
  }
}

beforeAll(async () => {
  front = await MaaFront.start({}, {}, async (issuer, folder) => {
    // As an operator pins the keys of an attestation service: its /certs in a file.
    const dir = join(folder, 'token-keys');
    mkdirSync(dir);
    const keys = await TokenKeys.open({ dir: join(dir, TENANT), issuer, days: 0, clock: () => new Date() });
    writeFileSync(join(folder, 'certs.json'), JSON.stringify({ keys: keys.published.map(({ jwk }) => jwk) }));
    const policy = {
      version: '1.0.0',
      anyOf: [
        {
          authority: issuer,
          allOf: [
            { claim: 'x-ms-sgx-mrenclave', equals: measured('app') },
            { claim: 'x-ms-sgx-is-debuggable', equals: 'false' },
            { claim: 'x-ms-sgx-svn', greaterOrEquals: 3 },
            { claim: 'x-siegel-tcb-status', equals: 'UpToDate' },
          ],
        },
      ],
    };
    writeFileSync(join(folder, 'policy.json'), JSON.stringify(policy));
    const key = (objectName: string, format: string) => ({
      vault: VAULT,
      objectName,
      format,
      releasePolicyFile: 'policy.json',
    });
    const file = join(folder, 'akv-keys.json');
    const tenant = {
      authorities: { [issuer]: { jwksFile: 'certs.json' } },
      keys: {
        disk: key('disk-key', 'jwk'),
        signing: key('signing-key', 'pkcs8'),
        gone: key('no-such', 'raw'),
      },
    };
    writeFileSync(file, JSON.stringify({ tenants: { [TENANT]: tenant } }));
    return ['--env', `SIEGEL_AKV_KEYS_FILE=${file}`, '--env', `SIEGEL_MAA_KEY_DIR=${dir}`];
  });
  const { admin, layout, machines } = front.siegel;
  const oct = { kty: 'oct', k: SYMMETRIC.toString('base64url') };
  await admin.putSecret(TENANT, VAULT, 'disk-key', JSON.stringify(oct));
  const pem = rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  await admin.putSecret(TENANT, VAULT, 'signing-key', pem);
  device = new AttestationDevice((reportData) =>
    machines.sgx
      .platform({ name: 'demo' })
      .quote({ ...identityOf(enclave), debug: enclave === 'debug', reportData } as never),
  );
  const ca = join(front.folder, 'ca.pem');
  writeFileSync(ca, readFileSync(front.caFile, 'utf8') + readFileSync(layout.caCertificate, 'utf8'));
  agent = await Agent.start(
    '--evidence',
    'gramine',
    '--device',
    device.folder,
    '--ca',
    ca,
    '--listen',
    '127.0.0.1:0',
  );
  tail = await front.siegel.log.tail();
});
afterAll(async () => {
  await agent?.stop();
  await device?.close();
  await front?.stop();
});

const host = (url: string): string => new URL(url).host;
const release = (kid: string, change: object = {}): Promise<Answer> =>
  agent.call('POST', '/key/release', {
    maa_endpoint: host(front.issuer),
    akv_endpoint: host(front.siegel.endpoints.release),
    kid,
    ...change,
  });
const keyOf = ({ status, body }: Answer): Record<string, unknown> => {
  expect(status === 200 ? 200 : body).toBe(200);
  return JSON.parse(body['key'] as string) as Record<string, unknown>;
};
const types = async (): Promise<AuditEvent['type'][]> => (await tail.next()).map(({ type }) => type);

describe("the sidecar's API, from enclave to key", () => {
  it('is there', async () => {
    expect(await agent.call('GET', '/status')).toEqual({ status: 200, body: { message: 'Status OK' } });
  });

  it('/attest/raw: the quote in hex, over the SHA-256 of the runtime data', async () => {
    const { status, body } = await agent.call('POST', '/attest/raw', {
      runtime_data: RUNTIME.toString('base64'),
    });
    expect(status).toBe(200);
    const quote = Buffer.from(body['report'] as string, 'hex');
    expect(quote.subarray(368, 400).equals(hash('sha256', RUNTIME, 'buffer'))).toBe(true);
    expect(quote.subarray(400, 432).equals(Buffer.alloc(32))).toBe(true);
  });

  it('/attest/maa: a token of our service, as a relying party believes it', async () => {
    const { status, body } = await agent.call('POST', '/attest/maa', {
      maa_endpoint: host(front.issuer),
      runtime_data: RUNTIME.toString('base64'),
    });
    expect(status === 200 ? 200 : body).toBe(200);
    const jwks = (await front.http.call('GET', '/certs')).body;
    const verifier = new TokenVerifier([{ kind: 'maa', issuer: front.issuer, jwks }]);
    const { claims, facts } = verifier.verify(body['token'] as string, {
      now: new Date(),
      identity: { mrenclave: [measured('app')] },
      binding: { runtimeData: RUNTIME },
      allowSimulated: true,
    });
    expect(claims['x-ms-runtime']).toEqual({ purpose: 'test' });
    expect(facts).toMatchObject({
      tcbStatus: 'UpToDate',
      simulated: true,
      log: { index: expect.any(Number) },
    });
    expect(await types()).toEqual(['token.issued']);
  });

  it('/key/release: a symmetric key, unwrapped; two events of the log before it', async () => {
    expect(keyOf(await release('disk'))).toEqual({
      kty: 'oct',
      k: SYMMETRIC.toString('base64url'),
      key_ops: ['export'],
    });
    expect(await types()).toEqual(['token.issued', 'key.released']);
  });

  it('/key/release: an RSA key, and endpoints written as addresses', async () => {
    const jwk = keyOf(
      await release('signing', {
        maa_endpoint: `${front.issuer}/`,
        akv_endpoint: front.siegel.endpoints.release,
        access_token: '',
      }),
    );
    const key = createPrivateKey({ key: jwk, format: 'jwk' } as never);
    expect(key.export({ format: 'der', type: 'pkcs8' })).toEqual(
      rsa.privateKey.export({ format: 'der', type: 'pkcs8' }),
    );
    expect(await types()).toEqual(['token.issued', 'key.released']);
  });

  it('many at once, each with its own key and evidence', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, async () => keyOf(await release('disk'))['k']));
    expect(new Set(keys)).toEqual(new Set([SYMMETRIC.toString('base64url')]));
    expect((await types()).sort()).toEqual([
      ...Array.from({ length: 4 }, () => 'key.released'),
      ...Array.from({ length: 4 }, () => 'token.issued'),
    ]);
  });
});

it("our native token: a relying party believes it of its key's holder alone", async () => {
  const { admin, machines, service } = front.siegel;
  await admin.setManifest(TENANT, manifestOf({ app: {} }), 0);
  const enclave = machines.enclave('app');
  const { response } = await enclave.attest(service);
  const jwks = (await service.call('GET', '/.well-known/jwks.json')).body;
  const verifier = new TokenVerifier([{ kind: 'siegel', issuer: front.siegel.endpoints.release, jwks }]);
  const expected = {
    now: new Date(),
    identity: { workload: ['app'], tenant: TENANT, mrenclave: [measured('app')] },
    binding: { key: enclave.key.keyObject },
    allowSimulated: true,
  };
  const { facts, kind } = verifier.verify(response.token, expected);
  expect({ kind, ...facts }).toMatchObject({
    kind: 'siegel',
    tee: 'sgx',
    tcbStatus: 'UpToDate',
    debug: false,
  });
  const other = machines.enclave('app').key.keyObject;
  expect(() => verifier.verify(response.token, { ...expected, binding: { key: other } })).toThrow(
    expect.objectContaining({ code: 'BINDING_MISMATCH' }),
  );
  expect(() => verifier.verify(response.token, { ...expected, allowSimulated: false })).toThrow(
    expect.objectContaining({ code: 'SIMULATED_REFUSED' }),
  );
  expect(await types()).toContain('attestation.granted');
});

describe('refused', () => {
  const as = async <T>(word: string, run: () => Promise<T>): Promise<T> => {
    enclave = word;
    try {
      return await run();
    } finally {
      enclave = 'app';
    }
  };

  it('an enclave to which the attestation service gives no token', async () => {
    const { status, body } = await as('debug', () => release('disk'));
    expect({ status, code: body['code'] }).toEqual({ status: 403, code: 'ATTESTATION_REFUSED' });
    expect(body['error']).toMatch(
      /^attestation failed: 400 PolicyEvaluationError: debug: expected false, is true/,
    );
    expect(await types()).toEqual(['token.refused']);
  });

  it('an enclave that the release policy does not name', async () => {
    const { status, body } = await as('other', () => release('disk'));
    expect({ status, code: body['code'] }).toEqual({ status: 403, code: 'RELEASE_REFUSED' });
    expect(body['error']).toMatch(/^releasing the key failed: 403 Forbidden/);
    expect(await types()).toEqual(['token.issued', 'key.refused']);
  });

  it.each([
    ['an unknown key', () => release('unknown'), 403, 'RELEASE_REFUSED'],
    ['a key whose secret is gone', () => release('gone'), 403, 'RELEASE_REFUSED'],
    ['a key that leads elsewhere', () => release('../secrets'), 400, 'REQUEST_MALFORMED'],
    ['an endpoint that is none', () => release('disk', { maa_endpoint: 'a/b' }), 400, 'REQUEST_MALFORMED'],
    ['an endpoint with a user', () => release('disk', { akv_endpoint: 'a@b' }), 400, 'REQUEST_MALFORMED'],
    [
      'an endpoint without a server',
      () => release('disk', { maa_endpoint: '127.0.0.1:1' }),
      500,
      'ENDPOINT_UNREACHABLE',
    ],
    ['no key', () => release('', {}), 400, 'REQUEST_MALFORMED'],
    ['no JSON', () => agent.call('POST', '/key/release', '{'), 400, 'REQUEST_MALFORMED'],
    ['no runtime data', () => agent.call('POST', '/attest/raw', {}), 400, 'REQUEST_MALFORMED'],
    ['no base64', () => agent.call('POST', '/attest/raw', { runtime_data: '***' }), 400, 'REQUEST_MALFORMED'],
    [
      'too much',
      () => agent.call('POST', '/attest/raw', { runtime_data: 'A'.repeat(200_000) }),
      413,
      'REQUEST_TOO_LARGE',
    ],
    ['another address', () => agent.call('GET', '/attest/combined'), 404, 'NOT_FOUND'],
    [
      'a page in a browser',
      () => agent.call('GET', '/status', undefined, { host: 'evil.example' }),
      403,
      'HOST_REFUSED',
    ],
  ])('%s', async (_what, run, status, code) => {
    const answer = await run();
    expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
    expect(typeof answer.body['error']).toBe('string');
    expect(answer.body['key'] ?? answer.body['token'] ?? answer.body['report']).toBeUndefined();
  });

  it('endpoints that another authority certifies, or that are not on the list', async () => {
    const other = await Agent.start(
      ...['--evidence', 'simulator', '--state', front.siegel.state, '--mrenclave', measured('app')],
      ...['--ca', front.caFile, '--socket', join(front.folder, 'skr.sock')],
      ...['--allow', host(front.issuer), '--allow', host(front.siegel.endpoints.release)],
    );
    try {
      expect(statSync(join(front.folder, 'skr.sock')).mode & 0o077).toBe(0);
      const ask = (akv: string): Promise<Answer> =>
        other.call('POST', '/key/release', {
          maa_endpoint: host(front.issuer),
          akv_endpoint: akv,
          kid: 'disk',
        });
      // Its authority is the mesh's, which this agent does not trust.
      expect((await ask(host(front.siegel.endpoints.release))).body).toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
      });
      expect((await ask('elsewhere.example')).body).toMatchObject({ code: 'ENDPOINT_REFUSED' });
    } finally {
      await other.stop();
    }
    expect(existsSync(join(front.folder, 'skr.sock'))).toBe(false);
  });

  it.each([
    [['--evidence', 'tpm'], 2],
    [['--evidence', 'simulator'], 2],
    // The host could call it, and pass for the enclave.
    [['--evidence', 'gramine'], 2],
    [['--evidence', 'gramine', '--listen', '0.0.0.0:8080'], 2],
    [['--evidence', 'gramine', '--listen', '192.0.2.1:8080'], 2],
  ])('to start with %j', async (args, code) => {
    const command = new SiegelCommand(['agent', ...args]);
    expect((await command.ended()).code).toBe(code);
  });

  it('keys and tokens are in no log', () => {
    const text = front.siegel.logText() + agent.command.stderr;
    expect(text).not.toContain(SYMMETRIC.toString('base64url'));
    expect(text).not.toMatch(/eyJhbGciOi/);
  });
});
