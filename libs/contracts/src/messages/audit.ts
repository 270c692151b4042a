import { z } from 'zod';
import { base64url, hex, MAX_EVIDENCE_BYTES } from './verify.js';

/**
 * The log's signed promise to include an event (compare RFC 6962 §3, signed certificate timestamp), given after the group commit
 * that made the event durable. One signature covers the batch: `path` leads from the event's leaf hash to the batch root
 * (RFC 6962 §2.1.1 over the batch's leaf hashes). The signed bytes are defined in libs/transparency (`promiseStatement`).
 */
export const LogPromise = z.object({
  /** Origin line of the log, for example `siegel.example/default`. */
  log: z.string().max(255),
  /** Index of the event in the log. */
  index: z.number().int().nonnegative(),
  /** Unix time of the commit in milliseconds. */
  time: z.number().int().nonnegative(),
  leafHash: hex(32),
  batch: z.object({
    start: z.number().int().nonnegative(),
    size: z.number().int().min(1).max(65_536),
    root: hex(32),
  }),
  path: z.array(hex(32)).max(16),
  /** Key id of the log's promise key: RFC 7638 thumbprint of its Ed25519 JWK. */
  kid: z.string().max(64),
  signature: base64url(64),
});
export type LogPromise = z.infer<typeof LogPromise>;

/** Reply on `SUBJECTS.auditAppend`. */
export const AppendReply = z.object({ promise: LogPromise });
export type AppendReply = z.infer<typeof AppendReply>;

/** Request on `SUBJECTS.auditEvidence`: what a verifier was shown, and what it judged it with. */
export const EvidenceHandover = z.strictObject({
  v: z.literal(1),
  evidence: base64url(MAX_EVIDENCE_BYTES).min(1),
  /** Id of the collateral; absent where the evidence was refused before any was needed. */
  collateral: hex(32).optional(),
});
export type EvidenceHandover = z.infer<typeof EvidenceHandover>;

/** Reply: whether the collateral of this id is to be sent as well. */
export const EvidenceHandoverReply = z.object({ collateralWanted: z.boolean() });
export type EvidenceHandoverReply = z.infer<typeof EvidenceHandoverReply>;

/** Largest collateral bundle on `SUBJECTS.auditCollateral`, in bytes of JSON; real ones have some 40 KiB. */
export const MAX_COLLATERAL_BYTES = 768 * 1024;

/** Request on `SUBJECTS.auditCollateral`; the reply is empty. */
export const CollateralHandover = z.strictObject({
  v: z.literal(1),
  id: hex(32),
  /** As in offline bundles: texts by name. */
  bundle: z.record(z.string().max(64), z.string().max(MAX_COLLATERAL_BYTES)),
});
export type CollateralHandover = z.infer<typeof CollateralHandover>;
