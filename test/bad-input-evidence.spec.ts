import { type AuditEvent, MAX_EVIDENCE_BYTES } from '#contracts';
import { SimulatedSgx } from '#simulator';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import { SimulatedEnclave } from '../apps/cli/src/demo/simulated-enclave.js';
import {
  envSecret,
  identityOf,
  type Refusals,
  type RunningSiegel,
  SIGNER,
  refusingDeployment,
} from './harness/index.js';

jest.setTimeout(120_000);
const SECRET = `the secret ${randomBytes(16).toString('hex')}`;

let siegel: RunningSiegel;
let refusals: Refusals;

beforeAll(async () => {
  ({ siegel, refusals } = await refusingDeployment(SECRET, {
    keyless: { secrets: [envSecret('password', 'PASSWORD')] },
  }));
});
afterAll(() => siegel?.stop());

const enclave = (word = 'app') => siegel.machines.enclave(word);
const post = (body: unknown): Promise<JsonAnswer> => siegel.service.post('/v1/attest', body);
const valid = (change: Record<string, unknown> = {}) => ({ ...enclave().requestBody(), ...change });
/** Offsets into an SGX quote of version 3 (Intel's sgx_quote_3.h): header 48, body 384, length 4, signature data. */
const AT = { mrenclave: 112, reportData: 368, signature: 436, key: 500, qeReport: 564, qeSignature: 948 };
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x01;
  return copy;
};
const withEvidence = (bytes: Buffer, of = enclave()) => ({
  ...of.requestBody(),
  evidence: bytes.toString('base64url'),
});

describe('evidence that is none', () => {
  it('before all: the same enclave with good input receives its secret', async () => {
    const { payload } = await enclave().attest(siegel.service);
    expect(payload.env).toEqual({ PASSWORD: SECRET });
    await refusals.expectNone();
  });

  it('empty', async () => {
    await refusals.expectDenied(await post(valid({ evidence: '' })), 'EVIDENCE_EMPTY', 'EVIDENCE_EMPTY');
  });

  it('1 MiB', async () => {
    const evidence = randomBytes(1024 * 1024).toString('base64url');
    await refusals.expectDenied(await post(valid({ evidence })), 'REQUEST_TOO_LARGE', 'REQUEST_TOO_LARGE');
  });

  it('a little larger than any quote', async () => {
    const evidence = Buffer.alloc(MAX_EVIDENCE_BYTES + 3).toString('base64url');
    await refusals.expectDenied(await post(valid({ evidence })), 'EVIDENCE_TOO_LARGE', 'EVIDENCE_TOO_LARGE');
  });

  it.each([
    ['one byte', 1, 'QUOTE_TOO_SHORT'],
    ['half a header', 24, 'QUOTE_TOO_SHORT'],
    ['a header and no body', 48, 'QUOTE_TOO_SHORT'],
    ['a body and no signature', 432, 'QUOTE_TOO_SHORT'],
    ['half a signature', 470, 'QUOTE_TOO_SHORT'],
    ['all but the last kilobyte', -1_024, 'QUOTE_MALFORMED'],
  ])('truncated to %s', async (_what, length, reason) => {
    const quote = enclave().quote();
    const answer = await post(withEvidence(quote.subarray(0, length)));
    await refusals.expectDenied(answer, 'EVIDENCE_MALFORMED', reason);
  });

  it('noise of the length of a quote', async () => {
    const answer = await post(withEvidence(randomBytes(4_600)));
    await refusals.expectDenied(answer, 'EVIDENCE_MALFORMED', 'QUOTE_VERSION_UNSUPPORTED');
  });

  it.each(['+/==', 'AAAA=', 'ä', ' AAAA', 'AA\nAA'])('not base64url: %j', async (evidence) => {
    await refusals.expectDenied(await post(valid({ evidence })), 'REQUEST_MALFORMED', 'REQUEST_MALFORMED');
  });
});

describe('evidence with one bit flipped', () => {
  it.each([
    ['the version', 0, 'EVIDENCE_MALFORMED', 'QUOTE_VERSION_UNSUPPORTED'],
    ['the measurement', AT.mrenclave, 'EVIDENCE_REJECTED', 'QUOTE_SIGNATURE_INVALID'],
    ['the report data', AT.reportData, 'EVIDENCE_REJECTED', 'QUOTE_SIGNATURE_INVALID'],
    ['the signature', AT.signature + 8, 'EVIDENCE_REJECTED', 'QUOTE_SIGNATURE_INVALID'],
    ['the attestation key', AT.key + 8, 'EVIDENCE_REJECTED', expect.stringMatching(/^(QE|ATTESTATION)_/)],
    ['the QE report', AT.qeReport + 64, 'EVIDENCE_REJECTED', 'QE_REPORT_SIGNATURE_INVALID'],
    [
      'the signature of the QE report',
      AT.qeSignature + 8,
      'EVIDENCE_REJECTED',
      'QE_REPORT_SIGNATURE_INVALID',
    ],
    ['the PCK certificate', 1_500, 'EVIDENCE_REJECTED', expect.stringMatching(/^(CERT|PCK|PEM|DER|CHAIN)/)],
  ] as const)('in %s', async (_where, at, code, reason) => {
    const answer = await post(withEvidence(flipped(enclave().quote(), at)));
    await refusals.expectDenied(answer, code, reason as string);
  });
});

describe('genuine evidence that the manifest does not allow', () => {
  it.each<[string, () => object, string]>([
    ['a measurement of no workload', () => enclave('stranger').requestBody(), 'MEASUREMENT_NOT_ALLOWED'],
    [
      'a workload that is not there',
      () => enclave().requestBody({ workload: 'nothing' }),
      'WORKLOAD_UNKNOWN',
    ],
    [
      'a workload of that name in Object',
      () => enclave().requestBody({ workload: 'toString' }),
      'WORKLOAD_UNKNOWN',
    ],
    [
      'the workload of another',
      () => enclave().requestBody({ workload: 'keyless' }),
      'MEASUREMENT_NOT_ALLOWED',
    ],
    ['a debug enclave', () => siegel.machines.enclave('app', { debug: true }).requestBody(), 'DEBUG_ENCLAVE'],
    [
      'a platform below the accepted TCB',
      () => siegel.machines.enclave('app', {}, { name: 'old', tcbStatus: 'OutOfDate' }).requestBody(),
      'TCB_STATUS_NOT_ACCEPTED',
    ],
    [
      'a platform that needs configuration',
      () =>
        siegel.machines.enclave('app', {}, { name: 'ht', tcbStatus: 'ConfigurationNeeded' }).requestBody(),
      'TCB_STATUS_NOT_ACCEPTED',
    ],
  ])('%s', async (_what, body, reason) => {
    const event = await refusals.expectDenied(await post(body()), 'RELEASE_DENIED', reason);
    expect(event).toMatchObject({ mrsigner: SIGNER, simulated: true });
    const { conditions } = (event as Extract<AuditEvent, { type: 'attestation.denied' }>).data;
    expect(conditions.some(({ ok }) => !ok)).toBe(true);
  });

  it('a platform that the TCB info revokes', async () => {
    const revoked = siegel.machines.enclave('app', {}, { name: 'revoked', tcbStatus: 'Revoked' });
    const event = await refusals.expectDenied(
      await post(revoked.requestBody()),
      'EVIDENCE_REJECTED',
      'TCB_REVOKED',
    );
    expect(event.tcbStatus).toBe('Revoked');
  });

  it('a platform whose certificate is on the revocation list', async () => {
    const { sgx } = siegel.machines;
    const stolen = { name: 'stolen', fmspc: '00706a000000' };
    const platform = sgx.platform(stolen);
    siegel.machines.addBundle(
      'stolen',
      sgx.collateral({ platform, revokedPcks: [platform.pck.profile.serial] }),
    );
    const answer = await post(siegel.machines.enclave('app', {}, stolen).requestBody());
    await refusals.expectDenied(answer, 'EVIDENCE_REJECTED', 'PCK_REVOKED');
    // The other machines of that family are trusted.
    const honest = siegel.machines.enclave('app', {}, { ...stolen, name: 'honest' });
    await expect(honest.attest(siegel.service)).resolves.toMatchObject({
      payload: { env: { PASSWORD: SECRET } },
    });
  });

  it('evidence of another root', async () => {
    const foreign = new SimulatedEnclave(SimulatedSgx.create().platform({ name: 'demo' }), identityOf('app'));
    await refusals.expectDenied(await post(foreign.requestBody()), 'EVIDENCE_REJECTED', 'ROOT_NOT_TRUSTED');
  });
});

describe('after all of it', () => {
  it('no log line holds a secret, a quote or a stack', async () => {
    const quote = enclave().quote();
    await post(withEvidence(flipped(quote, AT.signature)));
    await refusals.reasons();
    const logs = siegel.logText();
    expect(logs).not.toContain(SECRET);
    expect(logs).not.toContain(quote.subarray(0, 96).toString('base64url'));
    expect(logs).not.toContain(quote.subarray(0, 32).toString('hex'));
    expect(logs).not.toMatch(/\n\s*at |"stack":/);
    expect(logs).not.toContain(siegel.adminToken);
  });

  it('no process was started again, and good input is still served', async () => {
    expect(siegel.pids()).toEqual(siegel.started.pids);
    const { payload } = await enclave().attest(siegel.service);
    expect(payload.env).toEqual({ PASSWORD: SECRET });
  });

  it('no refusal was an internal error', async () => {
    expect(siegel.logText()).not.toContain('request failed');
    const { events } = { events: await siegel.log.all({ type: 'attestation.denied' }) };
    expect(events.filter(({ event }) => event.reason?.code === 'INTERNAL')).toEqual([]);
  });
});
