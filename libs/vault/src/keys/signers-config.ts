import { z } from 'zod';
import { AzureConnectionConfig } from '../registry/vaults-config.js';

/** An EC P-256 key of a vault that signs for us. */
export const VaultKeyConfig = z.strictObject({
  vault: AzureConnectionConfig,
  keyName: z.string().regex(/^[0-9A-Za-z-]{1,127}$/, 'must be 1 to 127 letters, digits and hyphens'),
  /** Without it, the versions that are enabled, the newest one signing. */
  keyVersion: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hexadecimal digits')
    .exactOptional(),
  /** Our share of what the vault allows for keys in any ten seconds (EC: 2,000 in an HSM, 4,000 in software; of all its users together). */
  operationsPer10Seconds: z.int().min(1).max(4_000).default(500),
  /** How often a new version, or one that was disabled, is looked for. */
  pollSeconds: z.number().min(1).max(86_400).default(300),
});
export type VaultKeyConfig = z.infer<typeof VaultKeyConfig>;

const hours = (min: number, max: number) => z.number().min(min).max(max);

/** `SIEGEL_SIGNERS_FILE`: which signers are keys of a vault. What is absent is a local key. */
export const SignersConfig = z.strictObject({
  /** Root of the mesh CA. */
  meshCaRoot: VaultKeyConfig.extend({
    /** Life of the local intermediates that the root certifies; leaves live half of it at most. */
    intermediateHours: hours(1, 8_760).default(720),
    /** How long a new root is published before it issues, so that everybody trusts it by then. */
    publishAheadHours: hours(0, 8_760).default(72),
  }).exactOptional(),
  /** Attestation tokens. */
  tokens: VaultKeyConfig.extend({
    /** `certified`: the vault's key certifies local keys that sign; `direct`: it signs every token, within its budget. */
    mode: z.enum(['certified', 'direct']).default('certified'),
    /** Life of a certified local key as a signer. */
    localKeyHours: hours(0.001, 720).default(24),
    /** How long a new key is published before it signs, in seconds; caches of the JWKS live five minutes. */
    publishAheadSeconds: z.number().min(0).max(86_400).default(600),
  }).exactOptional(),
  /** The audit log: the vault's key delegates to the log's Ed25519 key. */
  log: VaultKeyConfig.extend({
    /** Life of a delegation; it is renewed at half of it. */
    delegationHours: hours(0.001, 8_760).default(168),
  }).exactOptional(),
});
export type SignersConfig = z.infer<typeof SignersConfig>;
export type SignersConfigInput = z.input<typeof SignersConfig>;
