import { z } from 'zod';
import { envelopeShape } from '../envelope.js';

/** A service came up: which version, with which keys. */
export const ServiceStarted = z.strictObject({
  ...envelopeShape,
  type: z.literal('service.started'),
  data: z.strictObject({
    service: z.string().max(64),
    version: z.string().max(64),
    keys: z.array(z.string().max(64)).max(16),
    simulation: z.boolean(),
  }),
});

export const ServiceStopped = z.strictObject({
  ...envelopeShape,
  type: z.literal('service.stopped'),
  data: z.strictObject({ service: z.string().max(64) }),
});
