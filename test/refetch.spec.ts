import { createDpopProof, LocalSigner, SigningKeys, signJwt } from '#pki';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import type { SimulatedEnclave } from '../apps/cli/src/demo/simulated-enclave.js';
import {
  certificateFor,
  envSecret,
  eventually,
  expectProblem,
  fileSecret,
  manifestOf,
  RunningSiegel,
  SIGNER,
  startSiegel,
  TENANT,
  VAULT,
} from './harness/index.js';

jest.setTimeout(120_000);
const APP = {
  certificate: certificateFor('app'),
  secrets: [envSecret('password', 'PASSWORD'), fileSecret('config', '/run/config')],
};

let siegel: RunningSiegel;
let url: string;
beforeAll(async () => {
  siegel = await startSiegel({
    secrets: { password: 'first', config: 'as a file' },
    manifest: manifestOf({ app: APP, other: { env: { A: 'b' } } }),
  });
  url = `${siegel.endpoints.release}/v1/release`;
});
afterAll(() => siegel?.stop());

/** A session with the private key at hand, which a SimulatedEnclave keeps to itself. */
interface Held {
  readonly enclave: SimulatedEnclave;
  readonly token: string;
  readonly session: string;
  readonly proof: (change?: Partial<Parameters<typeof createDpopProof>[0]>) => Promise<string>;
}

async function boot(): Promise<Held> {
  const enclave = siegel.machines.enclave('app');
  const { response } = await enclave.attest(siegel.service);
  const { privateKey } = enclave as unknown as { privateKey: KeyObject };
  return {
    enclave,
    token: response.token,
    session: response.session,
    proof: (change = {}) =>
      createDpopProof({
        privateKey,
        method: 'GET',
        url,
        now: new Date(),
        accessToken: response.token,
        ...change,
      }),
  };
}

const fetchWith = (headers: Record<string, string>): Promise<JsonAnswer> =>
  siegel.service.call('GET', '/v1/release', { headers });
const dpop = (token: string, proof: string): Record<string, string> => ({
  authorization: `DPoP ${token}`,
  dpop: proof,
});

describe('a release that is fetched again', () => {
  it('is the same, sealed anew to the same key, logged under the same session', async () => {
    const held = await boot();
    const answer = await fetchWith(dpop(held.token, await held.proof()));
    const again = held.enclave.open(answer);
    expect(again.payload.env).toEqual({ PASSWORD: 'first' });
    expect(again.payload.files.map(({ path }) => path)).toEqual(['/run/config']);
    expect(again.payload.certificate?.dns).toEqual(['app.test.svc']);
    expect(again.response.session).toBe(held.session);
    const events = await siegel.log.all({ session: held.session });
    expect(events.map(({ event }) => event.type)).toEqual(['attestation.granted', 'release.granted']);
  });

  it('renews the token and never lengthens the session', async () => {
    const held = await boot();
    const ends = (token: string): unknown => (decodeJwt(token)['siegel'] as { endsAt: number }).endsAt;
    const answer = await fetchWith(dpop(held.token, await held.proof()));
    const { response } = held.enclave.open(answer);
    const second = decodeJwt(response.token);
    expect(second.exp! - second.iat!).toBeLessThanOrEqual(900);
    expect(ends(response.token)).toBe(ends(held.token));
    expect(second.exp! * 1_000).toBeLessThanOrEqual(ends(held.token) as number);
    // The token of the answer serves the next fetch.
    const next = await fetchWith(dpop(response.token, await held.proof({ accessToken: response.token })));
    expect(held.enclave.open(next).response.session).toBe(held.session);
  });

  it('has what the vault and the manifest say now', async () => {
    const held = await boot();
    await siegel.admin.putSecret(TENANT, VAULT, 'password', 'second');
    const { payload } = held.enclave.open(await fetchWith(dpop(held.token, await held.proof())));
    expect(payload.env).toEqual({ PASSWORD: 'second' });
  });

  it('is not to be cached', async () => {
    const held = await boot();
    const answer = await fetchWith(dpop(held.token, await held.proof()));
    expect(answer.headers['cache-control']).toBe('no-store');
  });
});

describe('without proof of possession', () => {
  let held: Held;
  let released: number;
  const releases = async (): Promise<number> => (await siegel.log.all({ type: 'release.granted' })).length;
  beforeAll(async () => {
    held = await boot();
    released = await releases();
  });
  afterAll(async () => {
    // None of these got through, and the session itself is unharmed.
    expect(await releases()).toBe(released);
    expect((await fetchWith(dpop(held.token, await held.proof()))).status).toBe(200);
  });

  const stranger = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  it.each<[string, () => Promise<string>]>([
    ['by another key', () => held.proof({ privateKey: stranger() })],
    ['for another method', () => held.proof({ method: 'POST' })],
    ['for another address', () => held.proof({ url: `${siegel.endpoints.release}/v1/attest` })],
    ['for another host', () => held.proof({ url: 'https://elsewhere.test/v1/release' })],
    ['for another port', () => held.proof({ url: 'https://localhost:1/v1/release' })],
    ['of two minutes ago', () => held.proof({ now: new Date(Date.now() - 120_000) })],
    ['of a minute ahead', () => held.proof({ now: new Date(Date.now() + 60_000) })],
    ['for another token', () => held.proof({ accessToken: 'another.access.token' })],
    [
      'for no token',
      async () => {
        const { privateKey } = held.enclave as unknown as { privateKey: KeyObject };
        return createDpopProof({ privateKey, method: 'GET', url, now: new Date() });
      },
    ],
    ['that is none', async () => 'a.b.c'],
    ['that is empty', async () => ''],
    ['that is the token', async () => held.token],
    [
      'whose signature was changed',
      async () => {
        const [header, payload, signature] = (await held.proof()).split('.') as [string, string, string];
        const bytes = Buffer.from(signature, 'base64url');
        bytes[9]! ^= 1;
        return `${header}.${payload}.${bytes.toString('base64url')}`;
      },
    ],
    ['twice in one header', async () => `${await held.proof()}, ${await held.proof()}`],
  ])('%s: nothing is released', async (_what, make) => {
    expectProblem(await fetchWith(dpop(held.token, await make())), 'PROOF_INVALID');
  });

  it('a proof counts once', async () => {
    const other = await boot();
    const proof = await other.proof();
    expect((await fetchWith(dpop(other.token, proof))).status).toBe(200);
    expectProblem(await fetchWith(dpop(other.token, proof)), 'PROOF_REPLAYED');
    released += 1;
  });

  it('a proof that is sent five times at once counts once', async () => {
    const other = await boot();
    const proof = await other.proof({ jti: randomUUID() });
    const answers = await Promise.all(Array.from({ length: 5 }, () => fetchWith(dpop(other.token, proof))));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
    released += 1;
  });

  it('the header is missing', async () => {
    const answer = await fetchWith({ authorization: `DPoP ${held.token}` });
    expectProblem(answer, 'PROOF_INVALID');
    expect(answer.headers['www-authenticate']).toContain('DPoP');
  });

  it('the token as a bearer token, or none at all', async () => {
    const proof = await held.proof();
    for (const authorization of [`Bearer ${held.token}`, held.token, 'DPoP ', 'DPoP', ''])
      expectProblem(await fetchWith({ authorization, dpop: proof }), 'TOKEN_INVALID');
    expectProblem(await fetchWith({ dpop: proof }), 'TOKEN_INVALID');
  });
});

describe('with a token that is not in order', () => {
  const keys = () =>
    SigningKeys.open({ dir: siegel.layout.path('key-release', 'token-keys'), now: new Date() });

  /** The claims of a real token, changed and signed by whatever key. */
  async function forged(
    held: Held,
    change: Record<string, unknown>,
    signer?: LocalSigner,
    typ?: string,
  ): Promise<string> {
    const claims = { ...decodeJwt(held.token), ...change };
    return signJwt(claims, signer ?? (await keys()).current(new Date()), {
      typ: typ ?? decodeProtectedHeader(held.token).typ!,
    });
  }
  const now = (): number => Math.floor(Date.now() / 1_000);

  it('before all: the real claims under the real key are taken', async () => {
    const held = await boot();
    const token = await forged(held, {});
    expect((await fetchWith(dpop(token, await held.proof({ accessToken: token })))).status).toBe(200);
  });

  it.each<[string, (held: Held) => Promise<string>, 'TOKEN_INVALID' | 'TOKEN_EXPIRED']>([
    [
      'expired',
      (held) => forged(held, { iat: now() - 900, nbf: now() - 900, exp: now() - 1 }),
      'TOKEN_EXPIRED',
    ],
    ['not valid yet', (held) => forged(held, { nbf: now() + 600, exp: now() + 900 }), 'TOKEN_INVALID'],
    ['of a life that is too long', (held) => forged(held, { exp: now() + 3_600 }), 'TOKEN_INVALID'],
    ['of another issuer', (held) => forged(held, { iss: 'https://elsewhere.test' }), 'TOKEN_INVALID'],
    ['for another audience', (held) => forged(held, { aud: 'elsewhere' }), 'TOKEN_INVALID'],
    ['bound to no key', (held) => forged(held, { cnf: {} }), 'TOKEN_INVALID'],
    ['without its claims', (held) => forged(held, { siegel: {} }), 'TOKEN_INVALID'],
    ['signed by another key', (held) => forged(held, {}, LocalSigner.generate()), 'TOKEN_INVALID'],
    ['of another kind', (held) => forged(held, {}, undefined, 'JWT'), 'TOKEN_INVALID'],
    [
      'of another tenant',
      (held) => forged(held, { siegel: { ...(decodeJwt(held.token)['siegel'] as object), tenant: 'other' } }),
      'TOKEN_INVALID',
    ],
    [
      'unsigned',
      async (held) => {
        const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(held.token), alg: 'none' }));
        return `${header.toString('base64url')}.${held.token.split('.')[1]}.`;
      },
      'TOKEN_INVALID',
    ],
    ['shortened', async (held) => held.token.slice(0, -4), 'TOKEN_INVALID'],
    ['of 8 KiB of letters', async () => 'a'.repeat(8_192), 'TOKEN_INVALID'],
  ])('%s: nothing is released', async (_what, make, code) => {
    const held = await boot();
    const token = await make(held);
    expectProblem(await fetchWith(dpop(token, await held.proof({ accessToken: token }))), code);
    expect(await siegel.log.all({ session: held.session, type: 'release.granted' })).toEqual([]);
  });

  it('bound to another enclave: its thief has not the key', async () => {
    const [owner, thief] = [await boot(), await boot()];
    const proof = await thief.proof({ accessToken: owner.token });
    expectProblem(await fetchWith(dpop(owner.token, proof)), 'PROOF_INVALID');
  });
});

describe('when the manifest has changed in between', () => {
  async function change(workloads: Parameters<typeof manifestOf>[0]): Promise<void> {
    const { version } = (await siegel.admin.manifest(TENANT))!;
    await siegel.admin.setManifest(TENANT, manifestOf(workloads), version);
  }

  it('a workload that has lost a secret does not get it any more', async () => {
    const held = await boot();
    await change({ app: { ...APP, secrets: [fileSecret('config', '/run/config')] } });
    const { payload } = held.enclave.open(await fetchWith(dpop(held.token, await held.proof())));
    expect(payload.env).toEqual({});
    expect(payload.files).toHaveLength(1);
  });

  it('a workload that has gone gets nothing, and the log says why', async () => {
    await change({ app: APP });
    const held = await boot();
    await change({ other: {} });
    expectProblem(await fetchWith(dpop(held.token, await held.proof())), 'RELEASE_DENIED');
    const [denied] = await siegel.log.all({ session: held.session, type: 'release.denied' });
    expect(denied?.event).toMatchObject({ outcome: 'denied', workload: 'app', simulated: true });
    expect(['WORKLOAD_UNKNOWN', 'MEASUREMENT_NOT_ALLOWED']).toContain(denied?.event.reason?.code);
  });

  it('a workload that now asks for a newer build gets nothing', async () => {
    await change({ app: APP });
    const held = await boot();
    const newer = { identity: { mrsigner: [SIGNER], isvprodid: 1, isvsvn: 4 } };
    await change({ app: { ...APP, ...newer } });
    const answer = await fetchWith(dpop(held.token, await held.proof()));
    expectProblem(answer, 'RELEASE_DENIED');
    const [denied] = await siegel.log.all({ session: held.session, type: 'release.denied' });
    expect(denied?.event.reason?.code).toBe('ISV_SVN_TOO_LOW');
  });

  it('a secret that has gone from the vault is named to the operator alone', async () => {
    await change({ app: APP });
    const held = await boot();
    await siegel.adminCall('DELETE', `/v1/tenants/${TENANT}/vaults/${VAULT}/secrets/password`);
    const answer = await eventually('the denial', async () => {
      const each = await fetchWith(dpop(held.token, await held.proof()));
      return each.status === 200 ? undefined : each;
    });
    expectProblem(answer, 'SECRET_NOT_FOUND');
    expect(answer.text).not.toContain('password');
    const [denied] = await siegel.log.all({ session: held.session, type: 'release.denied' });
    expect(denied?.event.reason?.message).toContain('demo/password');
  });
});
