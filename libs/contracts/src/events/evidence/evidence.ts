import { z } from 'zod';
import { hex } from '../../messages/verify.js';
import { envelopeShape } from '../envelope.js';

/** Evidence that granted events name is not kept, although it should be: it never arrived, or came too late. */
export const EvidenceMissing = z.strictObject({
  ...envelopeShape,
  type: z.literal('evidence.missing'),
  data: z.strictObject({
    /** How many digests this is about. */
    count: z.number().int().min(1),
    /** The first of them, with the ids of the events that name them. */
    missing: z
      .array(z.strictObject({ sha256: hex(32), event: z.uuid() }))
      .min(1)
      .max(64),
  }),
});

/** Evidence was removed before its time; the events that name it stay. */
export const EvidenceErased = z.strictObject({
  ...envelopeShape,
  type: z.literal('evidence.erased'),
  data: z.strictObject({ sha256: hex(32), actor: z.string().max(128) }),
});

/** Somebody downloaded evidence, which names a machine. */
export const EvidenceRead = z.strictObject({
  ...envelopeShape,
  type: z.literal('evidence.read'),
  data: z.strictObject({ sha256: hex(32), actor: z.string().max(128) }),
});
