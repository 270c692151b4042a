import { z } from 'zod';
import { envelopeShape, EvidenceRecord } from '../envelope.js';

/** New collateral changed the TCB status of live sessions of a workload, to one that its manifest does not accept. */
export const SessionReappraised = z.strictObject({
  ...envelopeShape,
  type: z.literal('session.reappraised'),
  data: z.strictObject({
    before: z.string().max(64),
    after: z.string().max(64),
    advisoryIds: z.array(z.string().max(32)).max(128),
    evidence: EvidenceRecord,
    revoked: z.boolean(),
  }),
});

/** One session by an administrator, or (without `session`) all sessions of a workload on a platform that fell below policy. */
export const SessionRevoked = z.strictObject({
  ...envelopeShape,
  type: z.literal('session.revoked'),
  data: z.strictObject({ actor: z.string().max(128) }),
});
