import { z } from 'zod';
import { envelopeShape } from '../envelope.js';

/** What the audit service noticed about the events that reached it; emitted and signed by the audit service itself. */
const anomaly = (type: 'log.gap' | 'log.duplicate' | 'log.reordered' | 'log.forged') =>
  z.strictObject({
    ...envelopeShape,
    type: z.literal(type),
    data: z.strictObject({
      emitter: z.string().max(64),
      epoch: z.string().max(64),
      expectedSeq: z.number().int().optional(),
      seq: z.number().int().optional(),
      count: z.number().int().optional(),
    }),
  });

export const LogGap = anomaly('log.gap');
export const LogDuplicate = anomaly('log.duplicate');
export const LogReordered = anomaly('log.reordered');
export const LogForged = anomaly('log.forged');

/** Another key signs this log from now on; the key before it says so itself. */
export const LogKeyChanged = z.strictObject({
  ...envelopeShape,
  type: z.literal('log.key'),
  data: z.strictObject({
    /** RFC 7638 thumbprints. */
    previous: z.string().max(64),
    next: z.string().max(64),
    /** Note signed by the previous key (libs/transparency, succession.ts), with the verifier key of the next. */
    succession: z.string().max(4_096),
  }),
});
