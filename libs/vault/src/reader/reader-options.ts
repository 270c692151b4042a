import { z } from 'zod';

/** How a vault is read and what is kept of it. Ages count from the moment at which the read was sent. */
export const ReaderSettings = z.strictObject({
  /** Within this age a cached value is served without asking the vault. */
  maxAgeSeconds: z.number().min(0).max(86_400).default(60),
  /** A refusal of the vault ("not found", "disabled", "forbidden") is repeated to everyone for this long. */
  denialAgeSeconds: z.number().min(0).max(300).default(5),
  /** Longest time that a value stays in memory to stand in for a vault that does not answer; each read says how much of it it accepts. */
  retainSeconds: z.number().min(0).max(604_800).default(3_600),
  maxEntries: z.int().min(1).max(1_000_000).default(10_000),
  maxBytes: z.int().min(65_536).max(1_073_741_824).default(67_108_864),
  /** Vault reads in any ten seconds. Key Vault allows 4,000 for all users of a vault together. */
  readsPer10Seconds: z.int().min(1).max(4_000).default(2_000),
  /** Time for a read with all its retries. */
  readTimeoutSeconds: z.number().positive().max(120).default(10),
  /** Attempts at one read, the first included. */
  maxAttempts: z.int().min(1).max(10).default(4),
  breaker: z
    .strictObject({
      /** Failed attempts in a row that open the breaker. */
      failures: z.int().min(1).max(1_000).default(8),
      openSeconds: z.number().positive().max(600).default(2),
      maxOpenSeconds: z.number().positive().max(3_600).default(60),
    })
    .prefault({}),
});
export type ReaderSettings = z.infer<typeof ReaderSettings>;
export type ReaderSettingsInput = z.input<typeof ReaderSettings>;
