import {
  ERROR_HEADERS,
  type LogPromise,
  SUBJECTS,
  VERDICT_ISSUER,
  VERDICT_TYP,
  type VerifyRequest,
} from '#contracts';
import { LocalSigner, signJws, type Signer } from '#pki';
import { leafHash, MemoryTree, promiseFromBatch, signBatch } from '#transparency';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { headers, type Msg } from '@nats-io/transport-node';
import { hash } from 'node:crypto';
import type { NatsUser } from '../apps/cli/src/up/nats-config.js';
import {
  certificateFor,
  envSecret,
  eventually,
  expectProblem,
  manifestOf,
  measured,
  type Part,
  RunningSiegel,
  SIGNER,
  startSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(180_000);
const SECRET = 'what a forger wants';

let siegel: RunningSiegel;
beforeAll(async () => {
  siegel = await startSiegel({
    secrets: { password: SECRET },
    manifest: manifestOf({
      app: { certificate: certificateFor('app'), secrets: [envSecret('password', 'PASSWORD')] },
    }),
  });
});
afterAll(() => siegel?.stop());

const attest = (word = 'app') =>
  siegel.service.post('/v1/attest', siegel.machines.enclave(word).requestBody());

/** A refusal as services send it: an error code in the headers. */
interface Refused {
  readonly refused: string;
}

/**
 * Somebody who has stolen a service's broker credentials answers in its place while `during` runs; the real one is frozen, so
 * that the forgery is the only answer. Gives how often it answered.
 */
async function impersonating<T>(
  victim: { part: Part; user: NatsUser; subject: string },
  answer: (message: Msg) => Promise<string | Refused> | string | Refused,
  during: () => Promise<T>,
): Promise<{ result: T; answered: number }> {
  const stolen = await siegel.nats(victim.user);
  let answered = 0;
  const subscription = stolen.subscribe(victim.subject, {
    callback: (_error, message) =>
      void Promise.resolve(answer(message)).then((reply) => {
        answered++;
        if (typeof reply === 'string') return message.respond(reply);
        const refusal = headers();
        refusal.set(ERROR_HEADERS.code, reply.refused);
        return message.respond('', { headers: refusal });
      }),
  });
  try {
    await stolen.flush();
    const result = await siegel.frozen(victim.part, during);
    return { result, answered };
  } finally {
    subscription.unsubscribe();
    await stolen.flush();
    await eventually('a service that has found its way back', async () => {
      const { response } = await siegel.machines.enclave('app').attest(siegel.service);
      return response.token !== '';
    });
    await siegel.ready();
  }
}

describe('a promise that is not of the log', () => {
  const audit = { part: 'audit', user: 'audit', subject: SUBJECTS.auditAppend } as const;
  const forged = async (
    change: (promise: LogPromise) => LogPromise,
    key?: LocalSigner,
  ): Promise<(message: Msg) => string> => {
    const signer = key ?? LocalSigner.generate('EdDSA');
    const real = await LocalSigner.fromFile(siegel.layout.key('audit', 'log'));
    return (message) => {
      const tree = new MemoryTree([leafHash(message.data)]);
      const at = { log: `siegel.local/log/${TENANT}`, start: 0, time: Date.now(), kid: real.kid };
      const batch = signBatch(at, tree, (statement) => signer.sign(statement) as Buffer);
      return JSON.stringify({ promise: change(promiseFromBatch(batch, tree, 0)) });
    };
  };

  it.each<[string, () => Promise<(message: Msg) => string>]>([
    ['signed by another key under the name of the real one', () => forged((promise) => promise)],
    [
      'signed by a key that nobody trusts',
      async () => forged((promise) => ({ ...promise, kid: 'x'.repeat(43) })),
    ],
    [
      'with a signature of zeros',
      () => forged((promise) => ({ ...promise, signature: Buffer.alloc(64).toString('base64url') })),
    ],
    [
      'truly of the log, but for another entry',
      async () => {
        const { response } = await siegel.machines.enclave('app').attest(siegel.service);
        return () => JSON.stringify({ promise: response.promise });
      },
    ],
    [
      'of another log of the same operator',
      async () =>
        forged(
          (promise) => ({ ...promise, log: 'siegel.local/log/other' }),
          await LocalSigner.fromFile(siegel.layout.key('audit', 'log')),
        ),
    ],
    ['no promise at all', async () => () => '{}'],
    ['no JSON', async () => () => 'acknowledged'],
  ])('%s: nothing is released', async (_what, make) => {
    const answer = await make();
    const { result, answered } = await impersonating(audit, answer, () => attest());
    expect(answered).toBeGreaterThan(0);
    expectProblem(result, 'AUDIT_PROMISE_INVALID');
    expect(result.text).not.toContain(SECRET);
  });

  it('an event whose promise was forged reaches the log all the same, once, when the log is back', async () => {
    const events = await siegel.log.all({ type: 'attestation.granted' });
    const sessions = events.map(({ event }) => event.session);
    expect(new Set(sessions).size).toBe(sessions.length);
    // That an event came again is said; that one was lost or forged would be wrong.
    const alerts = (await siegel.log.all({ outcome: 'alert' })).map(({ event }) => event.type);
    expect(alerts.filter((type) => type !== 'log.duplicate')).toEqual([]);
  });
});

describe('a verdict that is not of the verifier', () => {
  const verifier = { part: 'quote-verifier', user: 'quote_verifier', subject: SUBJECTS.verify } as const;
  const ownKey = (): Promise<LocalSigner> =>
    LocalSigner.fromFile(siegel.layout.key('quote-verifier', 'verdict'));

  /** What a verifier would say of evidence that is all right. */
  const favourable = (request: VerifyRequest, now = Date.now()): Record<string, unknown> => ({
    iss: VERDICT_ISSUER,
    iat: Math.floor(now / 1_000),
    exp: Math.floor(now / 1_000) + 60,
    rid: request.requestId,
    tenant: request.tenant,
    verified: true,
    evidence: { sha256: hash('sha256', Buffer.from(request.evidence, 'base64url')), format: 'dcap' },
    claims: {
      tee: 'sgx',
      quoteVersion: 3,
      tcbStatus: 'UpToDate',
      advisoryIds: [],
      mrenclave: measured('app'),
      mrsigner: SIGNER,
      isvProdId: 1,
      isvSvn: 3,
      debug: false,
      reportData: Buffer.from(request.evidence, 'base64url').subarray(368, 432).toString('hex'),
      fmspc: '00606a000000',
      simulated: true,
    },
    trustRoot: 'simulated',
  });
  const asRequest = (message: Msg): VerifyRequest => message.json<VerifyRequest>();
  const reply = async (claims: Record<string, unknown>, signer: Signer): Promise<string> =>
    JSON.stringify({
      verdict: await signJws(Buffer.from(JSON.stringify(claims)), signer, { typ: VERDICT_TYP }),
    });

  /** Signs with one key in the name of another. */
  const namedAs = (kid: string, signer: LocalSigner): Signer => ({
    kid,
    alg: signer.alg,
    publicKey: signer.publicKey,
    jwk: () => signer.jwk(),
    sign: (data) => signer.sign(data),
  });

  it('before all: this is what a genuine verdict looks like, and it is believed', async () => {
    const key = await ownKey();
    const { result } = await impersonating(
      verifier,
      (message) => reply(favourable(asRequest(message)), key),
      () => attest(),
    );
    expect(result.status).toBe(200);
  });

  it.each<[string, (message: Msg) => Promise<string>]>([
    [
      'signed by another key under the name of the real one',
      async (message) =>
        reply(favourable(asRequest(message)), namedAs((await ownKey()).kid, LocalSigner.generate())),
    ],
    [
      'signed by a key that nobody trusts',
      (message) => reply(favourable(asRequest(message)), LocalSigner.generate()),
    ],
    [
      'for another request',
      async (message) => reply({ ...favourable(asRequest(message)), rid: 'r'.repeat(24) }, await ownKey()),
    ],
    [
      'for another tenant',
      async (message) => reply({ ...favourable(asRequest(message)), tenant: 'other' }, await ownKey()),
    ],
    [
      'for other evidence',
      async (message) =>
        reply(
          {
            ...favourable(asRequest(message)),
            evidence: { sha256: hash('sha256', siegel.machines.enclave('app').quote()), format: 'dcap' },
          },
          await ownKey(),
        ),
    ],
    [
      'of an hour ago',
      async (message) => reply(favourable(asRequest(message), Date.now() - 3_600_000), await ownKey()),
    ],
    [
      'from an hour ahead',
      async (message) => reply(favourable(asRequest(message), Date.now() + 3_600_000), await ownKey()),
    ],
    [
      'positive without claims',
      async (message) => {
        const { claims: _claims, ...rest } = favourable(asRequest(message));
        return reply(rest, await ownKey());
      },
    ],
    [
      'unsigned',
      async (message) => {
        const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
        const header = part({ alg: 'none', typ: VERDICT_TYP, kid: (await ownKey()).kid });
        return JSON.stringify({ verdict: `${header}.${part(favourable(asRequest(message)))}.` });
      },
    ],
    [
      'of another kind of token',
      async (message) =>
        JSON.stringify({
          verdict: await signJws(
            Buffer.from(JSON.stringify(favourable(asRequest(message)))),
            await ownKey(),
            {
              typ: 'JWT',
            },
          ),
        }),
    ],
    ['no verdict at all', async () => '{"verdict":true}'],
    ['no JSON', async () => 'verified'],
  ])('%s: nothing is released', async (_what, answer) => {
    const { result, answered } = await impersonating(verifier, answer, () => attest());
    expect(answered).toBe(1);
    expectProblem(result, 'VERDICT_INVALID');
    expect(result.text).not.toContain(SECRET);
  });

  it('a refusal in headers, which nobody signs, denies nothing', async () => {
    const refused = { refused: 'EVIDENCE_REJECTED' };
    const { result, answered } = await impersonating(
      verifier,
      () => refused,
      () => attest(),
    );
    expect(answered).toBe(1);
    expectProblem(result, 'VERDICT_INVALID');
  });

  it('is neither a grant nor a denial in the log', async () => {
    expect(await siegel.log.all({ type: 'attestation.denied' })).toEqual([]);
  });
});
