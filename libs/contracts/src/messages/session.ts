import { z } from 'zod';
import { TENANT_PATTERN } from '../subjects.js';
import { base64url, CollateralSummary, hex, isoTime, MAX_EVIDENCE_BYTES } from './verify.js';

/** JOSE `typ` of an appraisal record. */
export const APPRAISAL_TYP = 'siegel-appraisal+jwt';
/** JOSE `typ` of a session revocation. */
export const REVOCATION_TYP = 'siegel-session-revocation+jwt';

/** What a platform's state was found to be, and by which collateral. */
export const Appraisal = z.object({
  /** When the verdict was given. */
  at: isoTime,
  /** Intel's words; `Revoked` also where the evidence is refused now, see `refusal`. */
  tcbStatus: z.string().max(64),
  advisoryIds: z.array(z.string().max(32)).max(128),
  tcbDate: z.string().max(40).optional(),
  platformStatus: z.string().max(64).optional(),
  qeStatus: z.string().max(64).optional(),
  moduleStatus: z.string().max(64).optional(),
  collateral: CollateralSummary,
  /** The code with which evidence that once verified is refused now. */
  refusal: z.string().max(64).optional(),
});
export type Appraisal = z.infer<typeof Appraisal>;

/** The sessions of one workload that rest on the same platform facts. */
export const AppraisalUse = z.object({
  tenant: z.string().regex(TENANT_PATTERN),
  workload: z.string().max(128),
  /** Not before the last of these sessions ends. */
  until: isoTime,
  /** Sessions that began at this time or earlier are revoked, because the status fell below policy. */
  revokedAt: isoTime.optional(),
});
export type AppraisalUse = z.infer<typeof AppraisalUse>;

/** KV record `a.<appraisalKey>` of the sessions bucket: a JWS (ES256, typ {@link APPRAISAL_TYP}); the broker is not trusted. */
export const AppraisalRecord = z.object({
  v: z.literal(1),
  /** `appraisalKey` of the verdicts. */
  key: hex(32),
  tee: z.enum(['sgx', 'tdx']),
  fmspc: hex(6),
  simulated: z.boolean(),
  appraisal: Appraisal,
  /** Evidence of one of the enclaves, to be judged again. */
  sample: z.object({
    format: z.enum(['auto', 'dcap', 'open-enclave']),
    evidence: base64url(MAX_EVIDENCE_BYTES).min(1),
  }),
  uses: z.array(AppraisalUse).max(4_096),
});
export type AppraisalRecord = z.infer<typeof AppraisalRecord>;

/** KV record `r.<tenant>.<session>` of the sessions bucket: a JWS (ES256, typ {@link REVOCATION_TYP}). */
export const RevocationRecord = z.object({
  v: z.literal(1),
  tenant: z.string().regex(TENANT_PATTERN),
  session: z.uuid(),
  revokedAt: isoTime,
  actor: z.string().max(128),
  /** No session of this name can be alive after that. */
  until: isoTime,
});
export type RevocationRecord = z.infer<typeof RevocationRecord>;

/** Answer of `POST /v1/tenants/{tenant}/sessions/{session}/revoke`. */
export const RevocationView = RevocationRecord.omit({ v: true });
export type RevocationView = z.infer<typeof RevocationView>;
