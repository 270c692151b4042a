import { describe, expect, it } from '@jest/globals';
import { sign } from 'node:crypto';
import { RELYING_PARTY_ERRORS, RelyingPartyError, type RelyingPartyErrorCode } from './errors.js';
import {
  IAT,
  MAA,
  REPORT_DATA,
  RUNTIME,
  b64u,
  ec,
  hex,
  inner,
  judge,
  jwk,
  maaClaims,
  maaToken,
  peerJwk,
  rsa,
  siegelToken,
  stranger,
  weak,
} from './token-fixtures.js';
import { TokenVerifier } from './token-verifier.js';

const covered = new Set<RelyingPartyErrorCode>();
function refusal(run: () => unknown): RelyingPartyErrorCode | 'accepted' {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RelyingPartyError)) throw error;
    covered.add(error.code);
    expect(error.remedy).not.toBe('');
    return error.code;
  }
}

describe('refused', () => {
  const cut = (token: string, parts: number): string => token.split('.').slice(0, parts).join('.');
  const forged = (header: Record<string, unknown>): string => maaToken({ header, key: stranger.privateKey });
  it.each<[string, RelyingPartyErrorCode, () => unknown]>([
    ['no compact token', 'TOKEN_MALFORMED', () => judge('a.b')],
    ['four parts', 'TOKEN_MALFORMED', () => judge(`${maaToken()}.x`)],
    ['a header that is no object', 'TOKEN_MALFORMED', () => judge(`${b64u('[]')}.${b64u({})}.AAAA`)],
    ['base64 in another spelling', 'TOKEN_MALFORMED', () => judge(maaToken().replace('.', '=.'))],
    [
      'a payload that is no JSON',
      'TOKEN_MALFORMED',
      () => judge(`${b64u({ alg: 'RS256' })}.${b64u('x')}.AAAA`),
    ],
    ['a huge one', 'TOKEN_TOO_LARGE', () => judge('a'.repeat(70_000))],
    ['alg none', 'TOKEN_UNSIGNED', () => judge(`${b64u({ alg: 'none', typ: 'JWT' })}.${b64u(maaClaims)}.`)],
    ['alg None with a signature', 'TOKEN_UNSIGNED', () => judge(maaToken({ header: { alg: 'None' } }))],
    ['a stripped signature', 'TOKEN_UNSIGNED', () => judge(`${cut(maaToken(), 2)}.`)],
    ['critical headers', 'CRITICAL_HEADER', () => judge(maaToken({ header: { crit: ['exp'] } }))],
    ['another issuer', 'ISSUER_UNKNOWN', () => judge(maaToken({ claims: { iss: `${MAA}/` } }))],
    ['no issuer', 'ISSUER_UNKNOWN', () => judge(maaToken({ claims: { iss: undefined } }))],
    ['an unknown key', 'KEY_UNKNOWN', () => judge(maaToken({ header: { kid: 'r2' } }))],
    ['no key id', 'KEY_UNKNOWN', () => judge(maaToken({ header: { kid: undefined } }))],
    [
      "a key of the token's own, by jwk",
      'KEY_UNKNOWN',
      () => judge(forged({ kid: 'own', jwk: jwk(stranger.publicKey, 'own') })),
    ],
    [
      "a key of the token's own, by jku",
      'KEY_UNKNOWN',
      () => judge(forged({ kid: 'own', jku: 'https://evil.example' })),
    ],
    [
      "a key of the token's own under a pinned id",
      'SIGNATURE_INVALID',
      () => judge(forged({ jwk: jwk(stranger.publicKey, 'r1') })),
    ],
    ["another issuer's key", 'KEY_UNKNOWN', () => judge(maaToken({ header: { kid: 'e1' } }))],
    ['HS256 with the public key', 'ALGORITHM_REFUSED', () => judge(maaToken({ header: { alg: 'HS256' } }))],
    ['another RSA algorithm', 'ALGORITHM_REFUSED', () => judge(maaToken({ header: { alg: 'PS256' } }))],
    [
      'a changed claim',
      'SIGNATURE_INVALID',
      () => {
        const [head = '', , tail = ''] = maaToken().split('.');
        return judge(`${head}.${b64u({ ...maaClaims, 'x-ms-sgx-svn': 9 })}.${tail}`);
      },
    ],
    [
      'an ES256 signature in DER',
      'SIGNATURE_INVALID',
      () => {
        const input = cut(siegelToken(), 2);
        return judge(`${input}.${sign('sha256', Buffer.from(input), ec.privateKey).toString('base64url')}`);
      },
    ],
    ['another type', 'TYPE_REFUSED', () => judge(siegelToken({ header: { typ: 'siegel-verdict+jwt' } }))],
    ['no type', 'TYPE_REFUSED', () => judge(maaToken({ header: { typ: undefined } }))],
    ['an expired one', 'TOKEN_EXPIRED', () => judge(maaToken({ claims: { exp: IAT - 60, iat: IAT - 90 } }))],
    ['one of the future', 'TOKEN_NOT_YET_VALID', () => judge(maaToken({ claims: { nbf: IAT + 120 } }))],
    [
      'one issued in the future',
      'TOKEN_NOT_YET_VALID',
      () => judge(maaToken({ claims: { iat: IAT + 120, nbf: undefined } })),
    ],
    [
      'one too old',
      'TOKEN_TOO_OLD',
      () => judge(maaToken({ claims: { iat: IAT - 2_000, nbf: IAT - 2_000 } })),
    ],
    [
      'one that lives too long',
      'LIFETIME_REFUSED',
      () => judge(siegelToken({ claims: { exp: IAT + 3_600 } })),
    ],
    ['one that ends before it begins', 'LIFETIME_REFUSED', () => judge(maaToken({ claims: { exp: IAT } }))],
    ['no expiry', 'CLAIM_MISSING', () => judge(maaToken({ claims: { exp: undefined } }))],
    ['an expiry as text', 'CLAIM_MALFORMED', () => judge(maaToken({ claims: { exp: String(IAT + 600) } }))],
    [
      'any age where the greatest one is no number',
      'TOKEN_TOO_OLD',
      () => judge(maaToken(), { maxAgeSeconds: Number.NaN }),
    ],
    [
      'any lifetime where the greatest one is no number',
      'LIFETIME_REFUSED',
      () => judge(maaToken(), { maxLifetimeSeconds: Number.NaN }),
    ],
    ['an unreadable clock', 'CLOCK_INVALID', () => judge(maaToken(), { now: new Date(Number.NaN) })],
    ['a skew of a day', 'CLOCK_INVALID', () => judge(maaToken(), { clockSkewSeconds: 86_400 })],
    ['another audience', 'AUDIENCE_REFUSED', () => judge(siegelToken({ claims: { aud: 'other' } }))],
    ['no audience where one is asked for', 'AUDIENCE_REFUSED', () => judge(maaToken(), { audience: 'us' })],
    ['a dry run', 'DRY_RUN_REFUSED', () => judge(maaToken({ claims: { 'x-siegel-dry-run': true } }))],
    ['SEV-SNP', 'TEE_REFUSED', () => judge(maaToken({ claims: { 'x-ms-attestation-type': 'sevsnpvm' } }))],
    [
      'a debug flag as text',
      'CLAIM_MALFORMED',
      () => judge(maaToken({ claims: { 'x-ms-sgx-is-debuggable': 'false' } })),
    ],
    [
      'no debug flag',
      'CLAIM_MISSING',
      () => judge(maaToken({ claims: { 'x-ms-sgx-is-debuggable': undefined } })),
    ],
    [
      'a measurement in upper case',
      'CLAIM_MALFORMED',
      () => judge(maaToken({ claims: { 'x-ms-sgx-mrenclave': hex('AB', 32) } })),
    ],
    ['another version', 'CLAIM_MALFORMED', () => judge(maaToken({ claims: { 'x-ms-ver': '2.0' } }))],
    [
      'no report data',
      'CLAIM_MISSING',
      () => judge(maaToken({ claims: { 'x-ms-sgx-report-data': undefined } })),
    ],
    [
      'another measurement',
      'MRENCLAVE_REFUSED',
      () => judge(maaToken({ claims: { 'x-ms-sgx-mrenclave': hex('ac', 32) } })),
    ],
    [
      'no measurement',
      'MRENCLAVE_REFUSED',
      () => judge(siegelToken({ claims: inner({ mrenclave: undefined }) })),
    ],
    [
      'another signer',
      'MRSIGNER_REFUSED',
      () => judge(maaToken({ claims: { 'x-ms-sgx-mrsigner': hex('ce', 32) } })),
    ],
    ['another product', 'PRODUCT_REFUSED', () => judge(maaToken({ claims: { 'x-ms-sgx-product-id': 2 } }))],
    ['an older version', 'SVN_TOO_LOW', () => judge(maaToken({ claims: { 'x-ms-sgx-svn': 3 } }))],
    ['no version', 'SVN_TOO_LOW', () => judge(maaToken({ claims: { 'x-ms-sgx-svn': undefined } }))],
    ['an enclave as a TD', 'MRTD_REFUSED', () => judge(maaToken(), { identity: { mrtd: [hex('ef', 48)] } })],
    ['another workload', 'WORKLOAD_REFUSED', () => judge(siegelToken(), { identity: { workload: ['web'] } })],
    [
      'another tenant',
      'WORKLOAD_REFUSED',
      () => judge(siegelToken(), { identity: { workload: ['payments'], tenant: 'x' } }),
    ],
    [
      "another tenant's workload of the same name, where no tenant is named",
      'WORKLOAD_REFUSED',
      () => {
        const { siegel } = JSON.parse(Buffer.from(siegelToken().split('.')[1]!, 'base64url').toString()) as {
          siegel: object;
        };
        return judge(siegelToken({ claims: { siegel: { ...siegel, tenant: 'x' } } }), {
          identity: { workload: ['payments'] },
        });
      },
    ],
    ['a debug enclave', 'DEBUG_REFUSED', () => judge(siegelToken({ claims: inner({ debug: true }) }))],
    [
      'a simulated one',
      'SIMULATED_REFUSED',
      () => judge(maaToken({ claims: { 'x-siegel-simulated': true } })),
    ],
    [
      'an old platform',
      'TCB_STATUS_REFUSED',
      () => judge(maaToken({ claims: { 'x-siegel-tcb-status': 'OutOfDate' } })),
    ],
    [
      'no TCB status',
      'TCB_STATUS_MISSING',
      () => judge(maaToken({ claims: { 'x-siegel-tcb-status': undefined } })),
    ],
    [
      'a refused advisory',
      'ADVISORY_REFUSED',
      () => judge(maaToken(), { refuseAdvisories: ['INTEL-SA-00615'] }),
    ],
    [
      'no advisories where some are refused',
      'CLAIM_MISSING',
      () =>
        judge(maaToken({ claims: { 'x-siegel-advisories': undefined } }), {
          refuseAdvisories: ['INTEL-SA-00615'],
        }),
    ],
    [
      "another peer's key",
      'BINDING_MISMATCH',
      () => judge(maaToken(), { binding: { key: stranger.publicKey } }),
    ],
    [
      "another peer's key for our own token",
      'BINDING_MISMATCH',
      () => judge(siegelToken(), { binding: { key: stranger.publicKey } }),
    ],
    [
      'other runtime data',
      'BINDING_MISMATCH',
      () => judge(maaToken(), { binding: { runtimeData: Buffer.from('x') } }),
    ],
    [
      'report data that goes on',
      'BINDING_MISMATCH',
      () =>
        judge(maaToken({ claims: { 'x-ms-sgx-report-data': REPORT_DATA.slice(0, -2) + '01' } }), {
          binding: { runtimeData: RUNTIME },
        }),
    ],
    ['shorter report data', 'BINDING_MISMATCH', () => judge(maaToken(), { binding: { reportData: 'ab' } })],
    ...['constructor', '__proto__', 'none'].map((kty): [string, RelyingPartyErrorCode, () => unknown] => [
      `a key of the kind ${kty}`,
      'BINDING_MISMATCH',
      () => judge(maaToken({ claims: { 'x-ms-runtime': { keys: [{ kty }] } } })),
    ]),
    [
      'no key in the token',
      'CLAIM_MISSING',
      () => judge(maaToken({ claims: { 'x-ms-runtime': undefined } })),
    ],
    ['no confirmed key', 'CLAIM_MISSING', () => judge(siegelToken({ claims: { cnf: undefined } }))],
    ['another nonce', 'NONCE_MISMATCH', () => judge(maaToken(), { nonce: 'n-2' })],
    ['nobody meant', 'REQUIREMENTS_INCOMPLETE', () => judge(maaToken(), { identity: {} })],
    [
      'a signer alone',
      'REQUIREMENTS_INCOMPLETE',
      () => judge(maaToken(), { identity: { mrsigner: [hex('cd', 32)] } }),
    ],
    ['an empty list', 'REQUIREMENTS_INCOMPLETE', () => judge(maaToken(), { identity: { mrenclave: [] } })],
    ['a key that is none', 'REQUIREMENTS_INCOMPLETE', () => judge(maaToken(), { binding: { key: {} } })],
    [
      'no keys',
      'KEYS_MALFORMED',
      () => new TokenVerifier([{ kind: 'maa', issuer: MAA, jwks: { keys: [] } }]),
    ],
    [
      'a key without id',
      'KEYS_MALFORMED',
      () => new TokenVerifier([{ kind: 'maa', issuer: MAA, jwks: { keys: [peerJwk] } }]),
    ],
    [
      'one id twice',
      'KEYS_MALFORMED',
      () => {
        const key = jwk(rsa.publicKey, 'r');
        return new TokenVerifier([{ kind: 'maa', issuer: MAA, jwks: { keys: [key, key] } }]);
      },
    ],
    [
      'a weak key',
      'KEY_UNSUPPORTED',
      () => new TokenVerifier([{ kind: 'maa', issuer: MAA, jwks: { keys: [jwk(weak.publicKey, 'w')] } }]),
    ],
  ])('%s: %s', (_what, code, run) => {
    expect(refusal(run)).toBe(code);
  });

  it('every code of the catalogue has a case here', () => {
    expect(
      Object.keys(RELYING_PARTY_ERRORS).filter((code) => !covered.has(code as RelyingPartyErrorCode)),
    ).toEqual([]);
  });

  it('a certificate in x5c that is none', () => {
    const jwks = {
      keys: [{ kty: 'RSA', kid: 'c', x5c: [Buffer.from('no certificate').toString('base64')] }],
    };
    expect(refusal(() => new TokenVerifier([{ kind: 'maa', issuer: MAA, jwks }]))).toBe('KEYS_MALFORMED');
  });
});
