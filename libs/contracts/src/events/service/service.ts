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

/** The usable versions of a vault's key that signs for a service are others than before. */
export const SignerChanged = z.strictObject({
  ...envelopeShape,
  type: z.literal('service.signer'),
  data: z.strictObject({
    service: z.string().max(64),
    signer: z.enum(['mesh-root', 'tokens', 'log']),
    /** Name of the vault in Azure. */
    vault: z.string().max(64),
    keyName: z.string().max(127),
    /** Usable versions, oldest first; empty when the last one was disabled. */
    versions: z.array(z.strictObject({ version: z.string().max(64), kid: z.string().max(64) })).max(16),
  }),
});

/** Of several replicas this one does from now on what one alone may do; with audit, sequence the log. */
export const ServiceLeading = z.strictObject({
  ...envelopeShape,
  type: z.literal('service.leading'),
  data: z.strictObject({
    service: z.string().max(64),
    /** Rises with every change of the leader. */
    term: z.number().int(),
    /** There was none before, it stepped down, or nothing was heard of it. */
    cause: z.enum(['first', 'released', 'silent']),
    /** The replica that nothing was heard of. */
    former: z.string().max(128).optional(),
  }),
});
