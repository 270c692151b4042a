import { z } from 'zod';
import { envelopeShape, EvidenceRecord } from '../envelope.js';

/** New TCB info changed the appraisal of a live session's evidence. */
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

export const SessionRevoked = z.strictObject({
  ...envelopeShape,
  type: z.literal('session.revoked'),
  data: z.strictObject({ actor: z.string().max(128) }),
});
