import { z } from 'zod';
import { TENANT_PATTERN } from '../subjects.js';
import { hex } from '../messages/verify.js';

export const Outcome = z.enum(['granted', 'denied', 'ok', 'alert']);
export type Outcome = z.infer<typeof Outcome>;

/** Why, for the operator: a stable code and one sentence. Never a secret, never a whole quote. */
export const Reason = z.strictObject({ code: z.string().max(64), message: z.string().max(1_000) });

/** One condition of a decision, as libs/policy lists it. */
export const ConditionRecord = z.strictObject({
  name: z.string().max(64),
  expected: z.string().max(1_000),
  actual: z.string().max(1_000),
  ok: z.boolean(),
});

/**
 * Who emitted the event and its place in that emitter's numbering. An `epoch` is one run of the emitter's process (random);
 * `seq` counts from 1 without gaps within it, so that a dropped event shows.
 */
export const Emitter = z.strictObject({
  name: z.string().max(64),
  instance: z.string().max(128),
  epoch: z.string().min(16).max(64),
  seq: z.number().int().min(1),
});
export type Emitter = z.infer<typeof Emitter>;

/** What every event carries; the fields that operators filter by are all here, whatever the event's kind. */
export const envelopeShape = {
  v: z.literal(1),
  /** UUID version 7. */
  id: z.uuid(),
  tenant: z.string().regex(TENANT_PATTERN),
  /** Emitter's clock, RFC 3339 UTC with milliseconds. The log's own time is in its promise. */
  time: z.iso.datetime({ precision: 3, offset: false }),
  emitter: Emitter,
  outcome: Outcome,
  reason: Reason.optional(),
  workload: z.string().max(128).optional(),
  session: z.string().max(64).optional(),
  mrenclave: hex(32).optional(),
  mrsigner: hex(32).optional(),
  tcbStatus: z.string().max(64).optional(),
  /** True whenever the evidence chains to a simulated root. */
  simulated: z.boolean().optional(),
};

/** What the event says about the evidence: enough to find and re-appraise it, not the evidence itself. */
export const EvidenceRecord = z.strictObject({
  sha256: hex(32),
  signedRegionSha256: hex(32).optional(),
  format: z.string().max(32),
  tee: z.enum(['sgx', 'tdx']).optional(),
  advisoryIds: z.array(z.string().max(32)).max(128).optional(),
  fmspc: hex(6).optional(),
  /** SHA-256 of the platform's PPID: the same for all enclaves of one machine, and no name of it. */
  platform: hex(32).optional(),
  isvProdId: z.number().int().optional(),
  isvSvn: z.number().int().optional(),
  debug: z.boolean().optional(),
  mrtd: hex(48).optional(),
  reportData: hex(64).optional(),
  trustRoot: z.string().max(64).optional(),
  collateral: hex(32).optional(),
  tcbEvaluationDataNumber: z.number().int().optional(),
});

/** One granted object, named so that it can be joined with the vault's own log (vault, object, version, request id). */
export const GrantRecord = z.strictObject({
  alias: z.string().max(255),
  /** `resource`: read by itself under its name, in a protocol that has such names (Trustee). */
  as: z.enum(['env', 'file', 'argv', 'resource']),
  vault: z.string().max(64),
  objectName: z.string().max(127),
  objectType: z.enum(['secret', 'key', 'cert']),
  version: z.string().max(64),
  requestId: z.string().max(128).optional(),
});

export const CertificateRecord = z.strictObject({
  serial: z.string().max(64),
  sha256: hex(32),
  dns: z.array(z.string().max(253)).max(64),
  spiffeId: z.string().max(2_048).optional(),
  notAfter: z.iso.datetime({ offset: false }),
});

export const ManifestReference = z.strictObject({ version: z.number().int(), digest: hex(32) });
