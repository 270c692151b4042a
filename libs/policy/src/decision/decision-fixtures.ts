// Claims and manifests that the specs of this folder share.
import { compileManifest, parseManifest } from '../index.js';
import type { AttestedClaims, CompileOptions, Decision, DecisionRequest } from '../index.js';

export const E = 'ab'.repeat(32);
export const E2 = 'ac'.repeat(32);
export const S = 'cd'.repeat(32);
export const T = 'ef'.repeat(48);
export const R = '12'.repeat(48);
export const ZERO_48 = '0'.repeat(96);
export const now = new Date('2026-11-23T12:00:00Z');

export const CLAIMS: AttestedClaims = {
  tee: 'sgx',
  mrenclave: E,
  mrsigner: S,
  isvProdId: 7,
  isvSvn: 3,
  debug: false,
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  fmspc: '00606a000000',
  simulated: false,
  reportData: '00'.repeat(64),
};
export const TDX: AttestedClaims = {
  tee: 'tdx',
  debug: false,
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  fmspc: '00806f050000',
  simulated: false,
  reportData: '00'.repeat(64),
  mrtd: T,
  rtmrs: [R, R, R, ZERO_48],
};

export function compile(workloads: string, options?: CompileOptions) {
  const result = parseManifest(`siegel: v1\nworkloads:\n${workloads.replace(/^/gm, '  ')}\n`);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return compileManifest(result.manifest, options);
}
export function request(
  changes: Partial<AttestedClaims> = {},
  rest: Partial<DecisionRequest> = {},
): DecisionRequest {
  return {
    claims: { ...CLAIMS, ...changes },
    binding: { convention: 'sha256-spki', challenge: false },
    now,
    ...rest,
  };
}
export const code = (decision: Decision) => (decision.outcome === 'denied' ? decision.code : 'granted');
export const condition = (decision: Decision, name: string) =>
  decision.conditions.find((one) => one.name === name);
export const simple = `w: { identity: { mrenclave: [${E}] }, certificate: { dns: [w.svc] } }`;
export const one = (lines: string, identity = `{ mrenclave: [${E}] }`) =>
  `w:\n  identity: ${identity}\n  certificate: {}\n  ${lines}`;
