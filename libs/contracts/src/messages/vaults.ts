import { z } from 'zod';

/** What one vault answered to this service's identity when it was last asked. */
export const VaultStatus = z.object({
  name: z.string().max(64),
  /** `azure` or `embedded`. */
  kind: z.string().max(32),
  ok: z.boolean(),
  checkedAt: z.iso.datetime({ offset: false }),
  /** Code, sentence and remedy of a failed check (libs/vault). */
  code: z.string().max(64).optional(),
  message: z.string().max(2_000).optional(),
  remedy: z.string().max(1_000).optional(),
  latencyMs: z.number().nonnegative().optional(),
  /** `x-ms-request-id` of the check, to be found in the vault's own log. */
  requestId: z.string().max(128).optional(),
  /** Where the vault is read through a cache: `closed`, `open` or `half-open`. */
  circuit: z.string().max(16).optional(),
  /** Requests to the vault that it refused as too many, since the start of the service. */
  throttled: z.number().int().nonnegative().optional(),
});
export type VaultStatus = z.infer<typeof VaultStatus>;

/** Answer of `GET /v1/vaults/health`: every configured vault, asked just now. */
export const VaultsHealth = z.object({ vaults: z.array(VaultStatus).max(1_000) });
export type VaultsHealth = z.infer<typeof VaultsHealth>;
