import { z } from 'zod';

/** Curve keys alone; members beside these (use, key_ops) are ignored. */
const PublicJwk = z.object({
  kty: z.string(),
  crv: z.string(),
  x: z.string(),
  y: z.string().optional(),
  kid: z.string(),
});
export type TrustedJwk = z.infer<typeof PublicJwk>;

/**
 * The trust file: public keys only, the same for all services of a deployment. NATS is not trusted (DESIGN §2), so what a
 * service believes comes from here: who may give verdicts, who may emit events, whose manifests count, who signs the log.
 */
export const TrustFile = z.strictObject({
  siegelTrust: z.literal(1),
  /** ES256 keys that sign verdicts. */
  verifiers: z.array(PublicJwk).min(1),
  /** Ed25519 keys that sign audit events, by emitter name. */
  emitters: z.array(z.strictObject({ name: z.string(), jwk: PublicJwk })).min(1),
  /** ES256 keys that sign manifest records in the KV store. */
  manifestSigners: z.array(PublicJwk).min(1),
  /** Ed25519 keys of the audit log (promises and checkpoints). */
  logs: z.array(z.strictObject({ origin: z.string(), jwk: PublicJwk })).min(1),
  /** Verifier keys (C2SP signed-note, cosignature/v1) of the witnesses of these logs. */
  witnesses: z.array(z.string().max(2_048)).max(16).optional(),
});
export type TrustFile = z.infer<typeof TrustFile>;
