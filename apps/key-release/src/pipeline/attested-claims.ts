import type { CollateralSummary, EvidenceRecord, QuoteClaims, VerdictClaims } from '#contracts';
import type { AttestedClaims } from '#policy';
import type { z } from 'zod';

/** The verified facts in the vocabulary of the manifest. */
export function attestedClaims(
  claims: QuoteClaims,
  collateral: CollateralSummary | undefined,
): AttestedClaims {
  return {
    ...claims,
    ...(collateral ? { tcbEvaluationDataNumber: collateral.tcbEvaluationDataNumber } : {}),
  } as AttestedClaims;
}

/** What the events say about the evidence. */
export function evidenceRecord(verdict: VerdictClaims): z.infer<typeof EvidenceRecord> {
  const { evidence, claims, collateral, trustRoot } = verdict;
  return {
    sha256: evidence.sha256,
    ...(evidence.signedRegionSha256 === undefined ? {} : { signedRegionSha256: evidence.signedRegionSha256 }),
    format: evidence.format,
    ...(claims === undefined
      ? {}
      : {
          tee: claims.tee,
          advisoryIds: claims.advisoryIds,
          fmspc: claims.fmspc,
          ...(claims.ppidSha256 === undefined ? {} : { platform: claims.ppidSha256 }),
          debug: claims.debug,
          reportData: claims.reportData,
          ...(claims.isvProdId === undefined ? {} : { isvProdId: claims.isvProdId }),
          ...(claims.isvSvn === undefined ? {} : { isvSvn: claims.isvSvn }),
          ...(claims.mrtd === undefined ? {} : { mrtd: claims.mrtd }),
        }),
    ...(trustRoot === undefined ? {} : { trustRoot }),
    ...(collateral === undefined
      ? {}
      : { collateral: collateral.id, tcbEvaluationDataNumber: collateral.tcbEvaluationDataNumber }),
  };
}

/** The members of an event's envelope that come from the evidence. */
export function evidenceEnvelope(claims: QuoteClaims | undefined) {
  if (!claims) return {};
  return {
    ...(claims.mrenclave === undefined ? {} : { mrenclave: claims.mrenclave }),
    ...(claims.mrsigner === undefined ? {} : { mrsigner: claims.mrsigner }),
    tcbStatus: claims.tcbStatus,
    ...(claims.simulated ? { simulated: true } : {}),
  };
}
