import { z } from 'zod';
import { hex } from '../../messages/verify.js';
import { envelopeShape } from '../envelope.js';

const Name = z.string().max(128);
/** Of a MarbleRun deployment, as the operator names it. */
const deployment = Name;
/** Who acted: `user:<name>` of the manifest, `marble:<type>`, `operator:<how>`, `first-caller`, or `startup`. */
const actor = z.string().max(160);
const Named = z.array(Name).max(256);

/** The manifest of a MarbleRun coordinator was set, or an update of it went a step. */
export const CoordinatorManifest = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.manifest'),
  data: z.strictObject({
    deployment,
    actor,
    step: z.enum(['set', 'package-update', 'initiated', 'acknowledged', 'updated', 'cancelled', 'failed']),
    /** SHA-256 of the manifest that the step is about. */
    fingerprint: hex(32),
    /** Of the one that was in force. */
    previous: hex(32).optional(),
    /** Acknowledgements that are missing after the step. */
    missing: z.number().int().min(0).optional(),
    packages: z
      .array(z.strictObject({ name: Name, securityVersion: z.number().int() }))
      .max(256)
      .optional(),
    /** Names of the recovery keys that got new secrets. */
    recoveryKeys: Named.optional(),
    rootSecretRotated: z.boolean().optional(),
  }),
});

/** Secrets of a coordinator were read or written by a user of its manifest. Names, never values. */
export const CoordinatorSecrets = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.secrets'),
  data: z.strictObject({ deployment, actor, operation: z.enum(['read', 'written']), secrets: Named }),
});

/** A coordinator that had lost its sealing key took a share, or is itself again. */
export const CoordinatorRecovery = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.recovery'),
  data: z.strictObject({
    deployment,
    step: z.enum(['sealed', 'share', 'recovered', 'abandoned']),
    /** Whose share it was, proven by a signature. */
    recoveryKey: Name.optional(),
    remaining: z.number().int().min(0).optional(),
    /** SHA-256 of the root certificate, from then on the deployment's identity again. */
    root: hex(32).optional(),
  }),
});

/** A marble set or read one of its monotonic counters. */
export const CoordinatorCounter = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.counter'),
  data: z.strictObject({
    deployment,
    actor,
    uuid: z.string().max(36),
    counter: z.string().max(256),
    /** Decimal, as they reach 2^64-1. */
    value: z.string().max(20),
    previous: z.string().max(20),
  }),
});

/** The root of a coordinator signed what it found of somebody's quote. */
export const CoordinatorQuoteSigned = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.quote-signed'),
  data: z.strictObject({ deployment, quoteSha256: hex(32) }),
});

/** A coordinator refused something to a client of its API; activations have events of their own. */
export const CoordinatorRefused = z.strictObject({
  ...envelopeShape,
  type: z.literal('coordinator.refused'),
  data: z.strictObject({
    deployment,
    /** Method and path of the API. */
    operation: z.string().max(128),
    actor: actor.optional(),
    /** SHA-256 of a client certificate that nobody was found for. */
    certificate: hex(32).optional(),
    /** Address of the client. */
    source: z.string().max(64).optional(),
  }),
});
