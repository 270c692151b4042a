import { SiegelError, type VerdictClaims } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { SimulatedSgx } from '#simulator';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CollateralService } from '../collateral/collateral.service.js';
import type { VerifyService } from '../verdict/verify.service.js';
import { MaaAttestation, type AttestInput } from './attestation.service.js';
import { MaaTenants } from './tenants-file.js';
import { TokenKeys } from './token-keys.js';

// RSA keys take their time on a busy machine.
jest.setTimeout(60_000);

const QUOTE = SimulatedSgx.create({ seed: 'maa' }).platform({ name: 'demo' }).quote();
const NOW = new Date('2026-11-23T12:00:00.900Z');
const claims = {
  tee: 'sgx' as const,
  quoteVersion: 3,
  tcbStatus: 'UpToDate',
  advisoryIds: ['INTEL-SA-00615'],
  mrenclave: 'ab'.repeat(32),
  mrsigner: 'cd'.repeat(32),
  isvProdId: 1,
  isvSvn: 3,
  attributes: '05000000000000000700000000000000',
  debug: false,
  reportData: '00'.repeat(64),
  fmspc: '00606a000000',
  simulated: true,
};

let folder: string;
let keys: TokenKeys;
let verdict: Partial<VerdictClaims>;
let events: EventDraft[];
let record: (draft: EventDraft) => Promise<unknown>;
let available: boolean;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-maa-'));
  keys = await TokenKeys.open({
    dir: join(folder, 'keys'),
    issuer: 'https://a.example',
    days: 0,
    clock: () => NOW,
  });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  verdict = {};
  events = [];
  available = true;
  record = (draft) => {
    events.push(draft);
    const promise = { log: 'l/default', index: 7, time: 1, leafHash: 'ef'.repeat(32) };
    return Promise.resolve({ id: `event-${events.length}`, time: '', promise });
  };
});

function attestation(): MaaAttestation {
  const verify = (body: Uint8Array): Promise<string> => {
    const { requestId } = JSON.parse(Buffer.from(body).toString()) as { requestId: string };
    const full = {
      iss: 'siegel:quote-verifier',
      iat: 1,
      exp: 61,
      rid: requestId,
      tenant: 'default',
      verified: true,
      evidence: { sha256: hash('sha256', QUOTE, 'hex'), format: 'dcap' },
      claims,
      ...verdict,
    };
    return Promise.resolve(
      JSON.stringify({ verdict: `h.${Buffer.from(JSON.stringify(full)).toString('base64url')}.s` }),
    );
  };
  const audit = {
    get available() {
      return available;
    },
    record: (draft: EventDraft) => record(draft),
  };
  return new MaaAttestation(
    { verify } as unknown as VerifyService,
    { bundle: () => undefined } as unknown as CollateralService,
    audit as unknown as AuditEmitter,
    () => NOW,
  );
}

function input(body: object = {}, tenant: object = {}, policy?: string): AttestInput {
  const file = join(folder, 'tenants.json');
  if (policy !== undefined) writeFileSync(join(folder, 'policy.txt'), policy);
  const policies = policy === undefined ? {} : { SgxEnclave: 'policy.txt' };
  const entry = { issuer: 'https://a.example', policies, ...tenant };
  writeFileSync(file, JSON.stringify({ tenants: { default: entry } }));
  return {
    tenant: MaaTenants.read(file).all[0]!,
    keys,
    kind: 'SgxEnclave',
    apiVersion: undefined,
    body: Buffer.from(JSON.stringify({ quote: QUOTE.toString('base64url'), ...body })),
  };
}
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown> & {
    exp: number;
    iat: number;
  };
const policy = (authorization: string, issuance = ''): string =>
  `version= 1.0; authorizationrules { ${authorization} }; issuancerules { ${issuance} };`;

describe('MaaAttestation', () => {
  it('signs only after the log has promised, and refers to it', async () => {
    let logged = false;
    const before = record;
    record = async (draft) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      logged = true;
      return before(draft);
    };
    const { token, event } = await attestation().attest(input());
    expect({ logged, event }).toEqual({ logged: true, event: 'event-1' });
    expect(claimsOf(token)['x-siegel-log']).toEqual({
      event: 'event-1',
      log: 'l/default',
      index: 7,
      time: 1,
      leafHash: 'ef'.repeat(32),
    });
  });

  it('gives no token where the log gives no promise, and asks nothing where it is known to be away', async () => {
    record = () => Promise.reject(new SiegelError('AUDIT_UNAVAILABLE'));
    await expect(attestation().attest(input())).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    available = false;
    await expect(attestation().attest(input())).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(events).toEqual([]);
  });

  it.each([
    [undefined, {}, 600],
    [policy('=> permit();', '=> issueproperty(type="report_validity_in_minutes", value=5);'), {}, 300],
    [policy('=> permit();', '=> issueproperty(type="report_validity_in_minutes", value=480);'), {}, 600],
    [undefined, { tokenSeconds: 900 }, 900],
  ])('lets a token live %#', async (text, tenant, seconds) => {
    const { exp, iat } = claimsOf((await attestation().attest(input({}, tenant, text))).token);
    expect([exp - iat, iat]).toEqual([seconds, Math.floor(NOW.getTime() / 1_000)]);
  });

  it('a policy cannot put words into the mouth of the service, nor of the token', async () => {
    const issuance = [
      'iss',
      'exp',
      'cnf',
      'x-ms-sgx-mrenclave',
      'x-siegel-tcb-status',
      'x-siegel-log',
      '__proto__',
    ]
      .map((type) => `=> issue(type="${type}", value="forged");`)
      .join(' ');
    const { token } = await attestation().attest(input({}, {}, policy('=> permit();', issuance)));
    const found = claimsOf(token);
    expect(found).toMatchObject({
      iss: 'https://a.example',
      'x-ms-sgx-mrenclave': 'ab'.repeat(32),
      'x-siegel-tcb-status': 'UpToDate',
    });
    expect(found['cnf']).toBeUndefined();
    expect(typeof found.exp).toBe('number');
    expect(found['x-siegel-log']).toMatchObject({ index: 7 });
  });

  it.each([
    ['the status', { claims: { ...claims, tcbStatus: 'OutOfDate' } }, {}, 'TENANT_CONDITION_UNMET'],
    ['an advisory', {}, { tcb: { refuseAdvisories: ['INTEL-SA-00615'] } }, 'TENANT_CONDITION_UNMET'],
    ['the evaluation number, unknown', {}, { tcb: { minEvaluationDataNumber: 1 } }, 'TENANT_CONDITION_UNMET'],
    ['a debug enclave', { claims: { ...claims, debug: true } }, {}, 'POLICY_DENIED'],
    ['another kind', { claims: { ...claims, tee: 'tdx' as const } }, {}, 'TEE_MISMATCH'],
    [
      'evidence that does not verify',
      { verified: false, error: { code: 'QUOTE_X', message: 'm', step: 's' } },
      {},
      'QUOTE_X',
    ],
    ['a verdict without claims', { claims: undefined }, {}, 'UNVERIFIED'],
  ])('refuses for %s, and logs it', async (_what, change, tenant, code) => {
    verdict = change as Partial<VerdictClaims>;
    await expect(attestation().attest(input({}, tenant))).rejects.toMatchObject({ status: 400, inner: code });
    expect(events).toMatchObject([{ type: 'token.refused', outcome: 'denied', reason: { code } }]);
  });

  it("Microsoft's stock policy, which permits everything, does not loosen what the tenant demands", async () => {
    verdict = { claims: { ...claims, debug: true } };
    await expect(attestation().attest(input({}, {}, policy('=> permit();')))).rejects.toMatchObject({
      inner: 'TENANT_CONDITION_UNMET',
    });
    const { token } = await attestation().attest(input({}, { debug: true }, policy('=> permit();')));
    expect(claimsOf(token)['x-ms-sgx-is-debuggable']).toBe(true);
  });

  it('a nonce cannot pose as evidence to a policy', async () => {
    const text = policy('[type=="nonce", value=="x", issuer=="AttestationService"] => permit();');
    await expect(attestation().attest(input({ nonce: 'x' }, {}, text))).rejects.toMatchObject({
      inner: 'POLICY_DENIED',
    });
  });

  it('evaluates no drafts where the tenant does not want it, and none that takes too long', async () => {
    const draft = { draftPolicyForAttestation: policy('=> permit();') };
    await expect(attestation().attest(input(draft, { drafts: false }))).rejects.toMatchObject({
      code: 'InvalidOperation',
      inner: 'DRAFT_REFUSED',
    });
    const names = 'abcdefghijkl'
      .split('')
      .map((id) => `${id}:[value!="none"]`)
      .join(' && ');
    const endless = { draftPolicyForAttestation: policy(`${names} => permit();`) };
    await expect(attestation().attest(input(endless))).rejects.toMatchObject({
      inner: 'MAA_POLICY_TOO_LARGE',
    });
  });

  it('logs so many refusals a second and no more', async () => {
    verdict = { claims: { ...claims, tcbStatus: 'OutOfDate' } };
    const service = attestation();
    const given = input();
    const codes: unknown[] = [];
    for (let i = 0; i < 600; i++)
      codes.push(await service.attest(given).catch((error: { inner: string }) => error.inner));
    expect(codes).toContain('RATE_LIMITED');
    expect(events.length).toBe(codes.filter((code) => code === 'TENANT_CONDITION_UNMET').length);
  });
});
