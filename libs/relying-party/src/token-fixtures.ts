import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { thumbprintOf } from './pinned-keys.js';
import { TokenVerifier, type Expectations } from './token-verifier.js';

export const NOW = new Date('2026-11-23T12:00:00Z');
export const IAT = NOW.getTime() / 1_000 - 10;
export const MAA = 'https://attest.example';
export const SIEGEL = 'https://siegel.example';
export const hex = (byte: string, bytes: number): string => byte.repeat(bytes);
export const b64u = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const peer = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const peerJwk = peer.publicKey.export({ format: 'jwk' });
export const RUNTIME = Buffer.from(JSON.stringify({ keys: [{ ...peerJwk, use: 'enc', kid: 'k' }] }));
export const REPORT_DATA = createHash('sha256').update(RUNTIME).digest('hex') + hex('00', 32);
export const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid });
export const verifier = new TokenVerifier([
  { kind: 'maa', issuer: MAA, jwks: { keys: [jwk(rsa.publicKey, 'r1')] } },
  { kind: 'siegel', issuer: SIEGEL, jwks: { keys: [jwk(ec.publicKey, 'e1'), { kty: 'oct', use: 'enc' }] } },
]);

export const maaClaims: Record<string, unknown> = {
  iss: MAA,
  iat: IAT,
  nbf: IAT,
  exp: IAT + 600,
  jti: 'f0',
  nonce: 'n-1',
  'x-ms-ver': '1.0',
  'x-ms-attestation-type': 'sgx',
  'x-ms-sgx-is-debuggable': false,
  'x-ms-sgx-mrenclave': hex('ab', 32),
  'x-ms-sgx-mrsigner': hex('cd', 32),
  'x-ms-sgx-product-id': 1,
  'x-ms-sgx-svn': 4,
  'x-ms-sgx-report-data': REPORT_DATA,
  'x-ms-runtime': JSON.parse(RUNTIME.toString()),
  'x-siegel-tcb-status': 'UpToDate',
  'x-siegel-advisories': ['INTEL-SA-00615'],
};
export const siegelClaims: Record<string, unknown> = {
  iss: SIEGEL,
  aud: 'siegel',
  iat: IAT,
  exp: IAT + 600,
  jti: 't-1',
  cnf: { jkt: thumbprintOf(peerJwk) },
  siegel: {
    tenant: 'default',
    workload: 'payments',
    simulated: false,
    claims: {
      tee: 'sgx',
      mrenclave: hex('ab', 32),
      mrsigner: hex('cd', 32),
      isvProdId: 1,
      isvSvn: 4,
      debug: false,
      reportData: REPORT_DATA,
      tcbStatus: 'UpToDate',
      advisoryIds: [],
    },
  },
};

export interface Change {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly key?: KeyObject;
}
export const without = (members: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
export function maaToken({ header = {}, claims = {}, key = rsa.privateKey }: Change = {}): string {
  const head = without({ alg: 'RS256', jku: `${MAA}/certs`, kid: 'r1', typ: 'JWT', ...header });
  const input = `${b64u(head)}.${b64u(without({ ...maaClaims, ...claims }))}`;
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}
export function siegelToken({ header = {}, claims = {}, key = ec.privateKey }: Change = {}): string {
  const head = without({ alg: 'ES256', kid: 'e1', typ: 'siegel-attestation+jwt', ...header });
  const input = `${b64u(head)}.${b64u(without({ ...siegelClaims, ...claims }))}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
export const inner = (change: Record<string, unknown>): Record<string, unknown> => {
  const siegel = siegelClaims['siegel'] as Record<string, object>;
  return { siegel: { ...siegel, claims: without({ ...siegel['claims'], ...change }) } };
};

export const EXPECTED: Expectations = {
  now: NOW,
  identity: { mrenclave: [hex('ab', 32)], mrsigner: [hex('CD', 32)], isvProdId: 1, minIsvSvn: 4 },
  binding: { key: peer.publicKey },
};
export const judge = (token: string, change: Partial<Expectations> = {}) =>
  verifier.verify(token, { ...EXPECTED, ...change });
