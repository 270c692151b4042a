import { describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import { X509CertificateGenerator } from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { RelyingPartyError } from './errors.js';
import {
  EXPECTED,
  IAT,
  MAA,
  REPORT_DATA,
  RUNTIME,
  hex,
  judge,
  maaToken,
  peerJwk,
  rsa,
  siegelToken,
  stranger,
} from './token-fixtures.js';
import { TokenVerifier } from './token-verifier.js';

function refusal(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RelyingPartyError)) throw error;
    return error.code;
  }
}

describe('believed', () => {
  it('a token of the MAA protocol', () => {
    const { kind, issuer, tokenId, facts, expiresAt } = judge(maaToken(), {
      nonce: 'n-1',
      refuseAdvisories: ['INTEL-SA-99999'],
    });
    expect({ kind, issuer, tokenId }).toEqual({ kind: 'maa', issuer: MAA, tokenId: 'f0' });
    expect(expiresAt.getTime() / 1_000).toBe(IAT + 600);
    expect(facts).toEqual({
      tee: 'sgx',
      mrenclave: hex('ab', 32),
      mrsigner: hex('cd', 32),
      isvProdId: 1,
      isvSvn: 4,
      debug: false,
      reportData: REPORT_DATA,
      tcbStatus: 'UpToDate',
      advisoryIds: ['INTEL-SA-00615'],
      simulated: false,
    });
  });

  it("one of Siegel's own", () => {
    const { facts, kind } = judge(siegelToken(), {
      identity: { workload: ['payments'], tenant: 'default' },
    });
    expect({ kind, workload: facts.workload }).toEqual({ kind: 'siegel', workload: 'payments' });
  });

  it.each([
    ['by runtime data', () => judge(maaToken(), { binding: { runtimeData: RUNTIME } })],
    ['by report data', () => judge(siegelToken(), { binding: { reportData: REPORT_DATA } })],
    ['by a JWK', () => judge(maaToken(), { binding: { key: peerJwk } })],
    [
      'by a key in binary held data, as MarbleRun sends it',
      () =>
        judge(
          maaToken({ claims: { 'x-ms-runtime': undefined, 'x-ms-sgx-ehd': RUNTIME.toString('base64url') } }),
        ),
    ],
    ['unchecked, where the caller says so', () => judge(maaToken(), { binding: 'unchecked' })],
    [
      'of a type written as media type',
      () => judge(siegelToken({ header: { typ: 'application/siegel-attestation+jwt' } })),
    ],
    [
      "without a TCB status, as Microsoft's, where that is accepted",
      () =>
        judge(maaToken({ claims: { 'x-siegel-tcb-status': undefined, exp: IAT + 28_800 } }), {
          allowUnstatedTcb: true,
        }),
    ],
    [
      'of a debug enclave, where allowed',
      () => judge(maaToken({ claims: { 'x-ms-sgx-is-debuggable': true } }), { allowDebug: true }),
    ],
    [
      'of a simulated enclave, where allowed',
      () => judge(maaToken({ claims: { 'x-siegel-simulated': true } }), { allowSimulated: true }),
    ],
    ['within the skew', () => judge(maaToken({ claims: { exp: IAT - 30, iat: IAT - 60, nbf: IAT - 60 } }))],
    [
      'of a TD',
      () =>
        judge(
          maaToken({
            claims: {
              'x-ms-attestation-type': 'tdxvm',
              tdx_mrtd: hex('ef', 48),
              tdx_td_attributes_debug: false,
              tdx_report_data: REPORT_DATA,
            },
          }),
          { identity: { mrtd: [hex('ef', 48)] } },
        ),
    ],
  ])('bound or stated %s', (_what, run) => {
    expect(refusal(run)).toBe('accepted');
  });
});

it("a key that the issuer's JWKS has in x5c alone, as Microsoft's /certs", async () => {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const imported = (usage: 'sign' | 'verify', format: 'pkcs8' | 'spki', der: Buffer) =>
    webcrypto.subtle.importKey(format, new Uint8Array(der), algorithm, true, [usage]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=attest.example',
    signingAlgorithm: algorithm,
    keys: {
      privateKey: await imported('sign', 'pkcs8', rsa.privateKey.export({ format: 'der', type: 'pkcs8' })),
      publicKey: await imported('verify', 'spki', rsa.publicKey.export({ format: 'der', type: 'spki' })),
    },
  });
  const x5c = [Buffer.from(certificate.rawData).toString('base64')];
  const pinned = new TokenVerifier([
    { kind: 'maa', issuer: MAA, jwks: { keys: [{ kty: 'RSA', kid: 'r1', x5c }] } },
  ]);
  expect(pinned.verify(maaToken(), EXPECTED).tokenId).toBe('f0');
  expect(refusal(() => pinned.verify(maaToken({ key: stranger.privateKey }), EXPECTED))).toBe(
    'SIGNATURE_INVALID',
  );
});
