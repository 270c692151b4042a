import { evaluateMaaPolicy, MaaPolicyError, parseMaaPolicy, type MaaClaim } from '#policy';
import { RelyingPartyError, TokenVerifier } from '#relying-party';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { MaaError } from '../../apps/quote-verifier/src/maa/maa-error.js';
import { readAttestRequest } from '../../apps/quote-verifier/src/maa/request-body.js';
import type { Mutation } from './byte-mutations.js';
import type { Target } from './targets.js';
import { insertWord, mutateLines } from './text-mutations.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const ISSUER = 'https://attest.example';
const CLAIMS: MaaClaim[] = [
  { type: 'x-ms-sgx-is-debuggable', value: false, issuer: 'AttestationService' },
  { type: 'x-ms-sgx-svn', value: 3, issuer: 'AttestationService' },
  { type: 'x-ms-sgx-mrsigner', value: 'ab'.repeat(32), issuer: 'AttestationService' },
];
const POLICIES = [
  'version= 1.0;\nauthorizationrules { => permit(); };\nissuancerules { };',
  `version= 1.2;\nconfigurationrules { => issueproperty(type="x", value="y"); };
authorizationrules {
  [type=="x-ms-sgx-is-debuggable", value==true] => deny();
  a:[type=="x-ms-sgx-svn", value>=3] && ![type=="none"] => add(type="ok", value=a.value);
  [type=="ok", issuer=="AttestationPolicy"] => permit();
};
issuancerules { c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value); c:[value!=1] => issue(claim=c); };`,
];

/** Parsers of the API of Microsoft Azure Attestation and of its relying parties. */
export function maaTargets(quote: Buffer, json: readonly Mutation[]): Target[] {
  const data = Buffer.from('{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}');
  const request = {
    quote: quote.toString('base64url'),
    runtimeData: { data: data.toString('base64url'), dataType: 'JSON' },
    initTimeData: { data: '', dataType: '' },
    nonce: 18_446_744,
    draftPolicyForAttestation: POLICIES[0],
  };
  const { tokens, verifier } = signedTokens(data);
  return [
    {
      name: 'maa-policy',
      seeds: POLICIES.map((policy) => Buffer.from(policy)),
      mutations: [mutateLines, mutateLines, insertWord],
      run: (input) =>
        codeOf(MaaPolicyError, () =>
          evaluateMaaPolicy(parseMaaPolicy(input.toString('utf8')), CLAIMS).permitted ? undefined : 'denied',
        ),
      share: 1,
    },
    {
      name: 'maa-request',
      seeds: [Buffer.from(JSON.stringify(request)), Buffer.from(JSON.stringify({ quote: request.quote }))],
      mutations: [...json],
      run: (input) =>
        codeOf(
          MaaError,
          () => void readAttestRequest('SgxEnclave', input),
          ({ message }) => message.slice(0, 40),
        ),
      share: 1,
    },
    {
      name: 'attestation-token',
      seeds: tokens,
      mutations: [insertWord],
      run: (input) =>
        codeOf(RelyingPartyError, () => {
          verifier.verify(input.toString('latin1'), {
            now: NOW,
            identity: { mrenclave: ['ab'.repeat(32)] },
            binding: { runtimeData: data },
          });
          return undefined;
        }),
      share: 1,
    },
  ];
}

function signedTokens(data: Buffer): { tokens: Buffer[]; verifier: TokenVerifier } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const iat = NOW.getTime() / 1_000;
  const claims = {
    iss: ISSUER,
    iat,
    exp: iat + 600,
    'x-ms-ver': '1.0',
    'x-ms-attestation-type': 'sgx',
    'x-ms-sgx-is-debuggable': false,
    'x-ms-sgx-mrenclave': 'ab'.repeat(32),
    'x-ms-sgx-mrsigner': 'cd'.repeat(32),
    'x-ms-sgx-report-data': hash('sha256', data, 'hex') + '00'.repeat(32),
    'x-siegel-tcb-status': 'UpToDate',
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = (changed: object): Buffer => {
    const input = `${part({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${part({ ...claims, ...changed })}`;
    return Buffer.from(`${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`);
  };
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] };
  return {
    tokens: [signed({}), signed({ exp: iat - 600 }), signed({ 'x-ms-sgx-is-debuggable': true })],
    verifier: new TokenVerifier([{ kind: 'maa', issuer: ISSUER, jwks }]),
  };
}

/** The outcome: the code of the one error that may be thrown; any other is a finding. */
function codeOf<E extends Error & { readonly code: string }>(
  Known: abstract new (...given: never[]) => E,
  run: () => string | undefined | void,
  detail: (error: E) => string = () => '',
): string | undefined {
  try {
    return run() ?? undefined;
  } catch (error) {
    if (error instanceof Known) return `${error.code} ${detail(error)}`.trim();
    throw error;
  }
}
