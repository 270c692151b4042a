import { z } from 'zod';
import { hex } from '../../messages/verify.js';
import { ConditionRecord, envelopeShape } from '../envelope.js';

const shape = {
  /** The wrapper protocol, `akv-release`. */
  protocol: z.string().max(32),
  /** Name of the key, as the release protocol has it. */
  key: z.string().max(127),
  /** SHA-256 of the attestation token: what was shown, without keeping it. */
  tokenSha256: hex(32),
  /** Issuer and id of the token, where it verified. */
  issuer: z.string().max(512).optional(),
  tokenId: z.string().max(128).optional(),
  /** SHA-256 of the release policy's text. */
  policySha256: hex(32),
  /** The release policy's conditions, in its order, each named by its place. */
  conditions: z.array(ConditionRecord).max(64),
};

/** A key was released to a holder of an attestation token, wrapped to a key that the token names; logged before the answer leaves. */
export const KeyReleased = z.strictObject({
  ...envelopeShape,
  type: z.literal('key.released'),
  data: z.strictObject({
    ...shape,
    /** Which entry of the policy was satisfied. */
    authority: z.string().max(512),
    /** Where the key material lies; with its version and request id it joins the vault's own log. */
    vault: z.string().max(64),
    objectName: z.string().max(127),
    version: z.string().max(64),
    requestId: z.string().max(128).optional(),
    /** RFC 7638 thumbprint of the wrapping key, and how the material was wrapped. */
    wrappingKey: z.string().max(64),
    wrapping: z.string().max(32),
  }),
});

/** The release of a key was refused; the caller is told no more than that. */
export const KeyRefused = z.strictObject({
  ...envelopeShape,
  type: z.literal('key.refused'),
  data: z.strictObject(shape),
});
