import type { scone } from '#policy';
import { z } from 'zod';

const keyed = { privateKey: z.string().describe('PKCS #8, PEM') };
const certified = {
  ...keyed,
  certificate: z.string().describe('PEM'),
  /** Those that signed it, the root last; the certificate itself excluded. PEM. */
  issuers: z.array(z.string()).max(8),
};

/** A secret of a session as it is kept: what was made, or what the session states. */
export const MadeSecret = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ascii'), text: z.string(), size: z.number().int().optional() }),
  z.strictObject({ kind: z.literal('binary'), base64: z.string(), size: z.number().int().optional() }),
  z.strictObject({ kind: z.literal('private-key'), ...keyed, keyType: z.string(), migrate: z.boolean() }),
  z.strictObject({ kind: z.literal('public-key'), publicKey: z.string().describe('SPKI, PEM') }),
  z.strictObject({ kind: z.literal('x509'), ...certified }),
  z.strictObject({ kind: z.literal('x509-ca'), ...certified }),
  z.strictObject({
    kind: z.literal('pgp-key'),
    /** Transferable secret key, binary (RFC 4880 §11.2). */
    secretKey: z.string(),
    publicKey: z.string(),
  }),
]);
export type MadeSecret = z.infer<typeof MadeSecret>;
/** By name. */
export type MadeSecrets = ReadonlyMap<string, MadeSecret>;

export type SecretProblemCode =
  /** A reference to a secret that the session does not have, or that is of another kind. */
  | 'SCONE_SECRET_UNKNOWN'
  /** An explicit value that is not of its kind. */
  | 'SCONE_SECRET_INVALID'
  /** A format that the kind does not have. */
  | 'SCONE_FORMAT_UNKNOWN'
  /** A value of a vault that its `decryption_key` does not open. */
  | 'SCONE_ENVELOPE_INVALID'
  /** The session's own identity: Entra, or a vault, does not take it. */
  | 'SCONE_IDENTITY_REFUSED'
  /** A kind that is not made here. */
  | 'SCONE_SECRET_NOT_SERVED';

/** Why a secret cannot be made or rendered. Never holds a value. */
export class SecretProblem extends Error {
  override readonly name = 'SecretProblem';
  constructor(
    readonly code: SecretProblemCode,
    message: string,
  ) {
    super(message);
  }
}

export type SconeSecret = scone.SconeSecret;
