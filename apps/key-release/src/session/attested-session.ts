import { CollateralSummary, QuoteClaims } from '#contracts';
import { z } from 'zod';

/** What an attestation leaves in its tokens: enough to decide a later release without a second quote. */
export const AttestedSession = z.object({
  protocol: z.string(),
  binding: z.string(),
  challenge: z.boolean(),
  manifest: z.object({ version: z.number().int(), digest: z.string() }),
  simulated: z.boolean(),
  evidence: z.string(),
  claims: QuoteClaims,
  collateral: CollateralSummary.optional(),
  /** Of the attestation, in milliseconds since 1970. */
  startedAt: z.number().int().optional(),
  /** No token of the session lives longer, in milliseconds since 1970. */
  endsAt: z.number().int().optional(),
  /** What the platform's continuous appraisal goes by, as in the verdict. */
  appraisalKey: z.string().optional(),
  /** When the TCB status in `claims` was found, in milliseconds since 1970. */
  appraisedAt: z.number().int().optional(),
});
