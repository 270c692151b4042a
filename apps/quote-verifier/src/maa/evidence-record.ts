import type { EvidenceRecord, QuoteClaims, VerdictClaims } from '#contracts';
import type { z } from 'zod';

/** What the events say about the evidence. */
export function evidenceRecord({
  evidence,
  claims,
  collateral,
  trustRoot,
}: VerdictClaims): z.infer<typeof EvidenceRecord> {
  const record: {
    [Name in keyof z.infer<typeof EvidenceRecord>]: z.infer<typeof EvidenceRecord>[Name] | undefined;
  } = {
    sha256: evidence.sha256,
    signedRegionSha256: evidence.signedRegionSha256,
    format: evidence.format,
    tee: claims?.tee,
    advisoryIds: claims?.advisoryIds,
    fmspc: claims?.fmspc,
    isvProdId: claims?.isvProdId,
    isvSvn: claims?.isvSvn,
    debug: claims?.debug,
    mrtd: claims?.mrtd,
    reportData: claims?.reportData,
    trustRoot,
    collateral: collateral?.id,
    tcbEvaluationDataNumber: collateral?.tcbEvaluationDataNumber,
  };
  return withoutAbsent(record) as z.infer<typeof EvidenceRecord>;
}

/** The members of an event's envelope that come from the evidence. */
export function evidenceEnvelope(claims: QuoteClaims | undefined) {
  if (claims === undefined) return {};
  const { mrenclave, mrsigner, tcbStatus, simulated } = claims;
  return withoutAbsent({ mrenclave, mrsigner, tcbStatus, simulated: simulated ? true : undefined });
}

const withoutAbsent = (members: object): object =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
