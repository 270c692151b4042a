// Verdicts and appraisals that the specs of this folder share.
import type { Appraisal, CollateralSummary, VerdictClaims } from '#contracts';

export const KEY = 'ab'.repeat(32);

export const collateral = (change: Partial<CollateralSummary> = {}): CollateralSummary => ({
  id: 'c1'.repeat(32),
  tcbEvaluationDataNumber: 20,
  qeEvaluationDataNumber: 20,
  tcbInfoIssueDate: '2026-11-01T00:00:00Z',
  earliestIssue: '2026-11-01T00:00:00Z',
  earliestExpiration: '2026-12-01T00:00:00Z',
  ...change,
});

export const appraisal = (change: Partial<Appraisal> = {}): Appraisal => ({
  at: '2026-11-23T12:00:00.000Z',
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  collateral: collateral(),
  ...change,
});

export function verdict(change: Partial<VerdictClaims> = {}, tcbStatus = 'UpToDate'): VerdictClaims {
  const iat = Math.floor(Date.now() / 1_000);
  return {
    iss: 'siegel:quote-verifier',
    iat,
    exp: iat + 60,
    rid: 'request',
    tenant: 'default',
    verified: true,
    evidence: { sha256: 'ee'.repeat(32), format: 'dcap' },
    claims: {
      tee: 'sgx',
      quoteVersion: 3,
      tcbStatus,
      advisoryIds: [],
      debug: false,
      reportData: '00'.repeat(64),
      fmspc: '00606a000000',
      simulated: true,
    },
    collateral: collateral(),
    trustRoot: 'simulated',
    appraisalKey: KEY,
    ...change,
  };
}
