import { z } from 'zod';

/** JOSE `typ` of a hint about a vault's object. */
export const VAULT_CHANGE_TYP = 'siegel-vault-change+jwt';

/**
 * What one key-release tells all: JWS (EdDSA by the emitter key, typ {@link VAULT_CHANGE_TYP}) on `SUBJECTS.vaultChanged`. A hint and
 * no more: whoever receives it reads the vault. The signature keeps a broker from making everybody read.
 */
export const VaultChange = z.strictObject({
  v: z.literal(1),
  /** Run of the sender's process, to know one's own. */
  source: z.string().min(16).max(64),
  /** Unix seconds. */
  iat: z.number().int(),
  /** Configured name of the vault; of a key, the vault's name in Azure. */
  vault: z.string().max(64),
  objectName: z.string().max(127),
  objectType: z.enum(['object', 'key']),
  /** What the sender found and has logged, by object type and pinned version; others need not log it again. */
  logged: z.record(z.string().max(64), z.string().max(64)).optional(),
});
export type VaultChange = z.infer<typeof VaultChange>;
