import { z } from 'zod';
import { hex } from '../../messages/verify.js';
import { envelopeShape } from '../envelope.js';

const session = z.string().max(512);
/** `key:<SHA-256 of the client's SPKI>`, or `anonymous`. */
const actor = z.string().max(160);

/** A session of SCONE's language was created or replaced; logged before it takes effect. A lost race is a refusal of its own. */
export const SconeSessionSet = z.strictObject({
  ...envelopeShape,
  type: z.literal('scone.session'),
  data: z.strictObject({
    session,
    actor,
    version: z.number().int().min(1),
    hash: hex(32),
    /** Of the version that it replaces. */
    predecessor: hex(32).optional(),
    services: z.array(z.string().max(128)).max(256),
    /** Certificates that were made anew before their end; then nothing else of the session has changed. */
    renewed: z.array(z.string().max(128)).max(256).optional(),
  }),
});

/** A session, or values of it that are public, were read. Names, never values. */
export const SconeRead = z.strictObject({
  ...envelopeShape,
  type: z.literal('scone.read'),
  data: z.strictObject({
    session,
    actor,
    what: z.enum(['session', 'values']),
    hash: hex(32),
    secrets: z.array(z.string().max(128)).max(256),
  }),
});

/** Somebody was refused something about a session; attestations have events of their own. */
export const SconeRefused = z.strictObject({
  ...envelopeShape,
  type: z.literal('scone.refused'),
  data: z.strictObject({
    operation: z.string().max(64),
    session: session.optional(),
    actor,
    /** Address of the client. */
    source: z.string().max(64).optional(),
  }),
});
