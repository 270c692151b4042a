import type { SiegelError } from '#contracts';
import { createDpopProof, LocalSigner, PublicKey, ReplayCache, SigningKeys } from '#pki';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyReleaseEnvironment } from '../../../environment.js';
import type { Granted, ReleaseInput } from '../../../pipeline/interface.js';
import { SessionAuthentication } from '../../../session/session-authentication.js';
import { ATTESTED_SESSION as session } from '../../../session/session-fixtures.js';
import { SessionTokens, type TokenKind } from '../../../session/session-token.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { NothingCarried } from './granted-secret.js';
import { LOGIN_PATH } from './vault-call.js';
import { VaultSessions } from './vault-sessions.js';

const URL = 'https://siegel.test';
const environment = { SIEGEL_PUBLIC_URL: URL, SIEGEL_TOKEN_TTL_SECONDS: 900 } as KeyReleaseEnvironment;
const tokens = new SessionTokens(
  SigningKeys.of([{ signer: LocalSigner.generate('ES256'), signsFrom: new Date(0) }]),
  environment,
);
const tenants = new TenantResolver('elsewhere.test=elsewhere', 'default');
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = PublicKey.fromKeyObject(publicKey);
const VAULT: TokenKind = { typ: 'siegel-vault+jwt', audience: 'siegel-vault' };
const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);

let released: ReleaseInput[];
let recorded: string[];
/** As the real one: a new attestation token of a minute for what was decided. */
const pipeline = {
  release: async (input: ReleaseInput): Promise<Granted> => {
    released.push(input);
    const issued = await tokens.issue(session, key, 'jti', 60, new Date());
    return issued as unknown as Granted;
  },
  recordMalformed: (_tenant: string, _protocol: string, error: SiegelError): Promise<void> => {
    recorded.push(error.reason?.code ?? error.code);
    return Promise.resolve();
  },
};
/** What the replicas share. */
const proofs = new ReplayCache();
const replica = () =>
  new VaultSessions(
    pipeline as never,
    new SessionAuthentication(tokens, tenants, environment),
    tokens,
    tenants,
    proofs as never,
  );
const sessions = replica();

const attested = async (): Promise<string> => (await tokens.issue(session, key, 'a', 900, new Date())).token;
const vaultToken = async (now = new Date()): Promise<string> =>
  (await tokens.issue(session, key, 'v', 900, now, VAULT)).token;
const loginWith = async (token: string) => ({
  token,
  proof: await createDpopProof({
    privateKey,
    method: 'POST',
    url: `${URL}${LOGIN_PATH}`,
    now: new Date(),
    accessToken: token,
  }),
});
const caller = (token: string, host = 'siegel.test') => sessions.caller({ host, 'x-vault-token': token });

beforeEach(() => {
  released = [];
  recorded = [];
});

describe('a login', () => {
  it('is a decision that carries nothing, and its token lives no longer than that decision', async () => {
    const { token, session: opened } = await sessions.login(await loginWith(await attested()), {
      host: 'siegel.test',
    });
    expect(released).toMatchObject([{ tenant: 'default', protocol: 'anjuna-vault' }]);
    expect(released[0]!.carrier).toBeInstanceOf(NothingCarried);
    expect(opened).toMatchObject({ workload: 'app', tokenId: 'jti' });
    const left = opened.expiresAt.getTime() - Date.now();
    expect(left).toBeLessThanOrEqual(60_000);
    expect(await caller(token)).toMatchObject({
      token,
      session: { session: session.session },
      key: { spki: key.spki },
    });
    expect(recorded).toEqual([]);
  });

  it('has no second token for the same proof, from whichever replica', async () => {
    const host = { host: 'siegel.test' };
    const request = await loginWith(await attested());
    await sessions.login(request, host);
    for (const other of [sessions, replica()])
      await expect(other.login(request, host)).rejects.toMatchObject({ code: 'PROOF_REPLAYED' });
    expect(released).toHaveLength(1);
    expect(recorded).toEqual(['DPOP_REPLAYED', 'DPOP_REPLAYED']);
  });

  it('of another tenant, with a token of this API or without proof is refused and recorded', async () => {
    const host = { host: 'siegel.test' };
    const request = await loginWith(await attested());
    await expect(sessions.login(request, { host: 'elsewhere.test' })).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    });
    await expect(sessions.login(await loginWith(await vaultToken()), host)).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    });
    for (const body of [undefined, {}, { token: request.token }, { ...request, more: 1 }])
      await expect(sessions.login(body, host)).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' });
    const malformed = Array.from({ length: 4 }, () => 'REQUEST_MALFORMED');
    expect(recorded).toEqual(['TOKEN_TENANT', 'JWT_TYP_REFUSED', ...malformed]);
    expect(released).toEqual([]);
  });
});

describe('a token of this API', () => {
  it.each<[string, () => Promise<string>, string]>([
    ['that has expired', () => vaultToken(minutesAgo(16)), 'TOKEN_EXPIRED'],
    ['that is one of attestation', attested, 'JWT_TYP_REFUSED'],
    [
      'for somebody else',
      async () => (await tokens.issue(session, key, 'x', 60, new Date(), { ...VAULT, audience: 'x' })).token,
      'JWT_AUDIENCE_REFUSED',
    ],
    [
      'that was altered',
      async () => (await vaultToken()).replace(/.$/, (end) => (end === 'A' ? 'Q' : 'A')),
      'JWT_',
    ],
    ['that is none', () => Promise.resolve('hvs.abc'), 'JWT_MALFORMED'],
    ['of strange characters', () => Promise.resolve('a b'), 'TOKEN_MISSING'],
  ])('%s is refused and recorded', async (_what, make, reason) => {
    await expect(caller(await make())).rejects.toMatchObject({ entry: { http: 401 } });
    expect(recorded).toEqual([expect.stringContaining(reason)]);
  });

  it('of another tenant is refused and recorded', async () => {
    await expect(caller(await vaultToken(), 'elsewhere.test')).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    });
    expect(recorded).toEqual(['TOKEN_TENANT']);
  });

  it('is taken as bearer token as well, and fetches no release of the native protocol', async () => {
    const token = await vaultToken();
    const headers = { host: 'siegel.test', authorization: `Bearer ${token}` };
    expect(await sessions.caller(headers)).toMatchObject({ session: { workload: 'app' } });
    await expect(tokens.open(token, new Date())).rejects.toMatchObject({
      reason: { code: 'JWT_TYP_REFUSED' },
    });
  });
});
