import { throttled } from './faults.js';

/** How a request counts against the limits of its vault: azure.md §1.7, service-limits of 2026-07-15. */
export interface LimitClass {
  readonly bucket:
    'create-secret' | 'secret-vault' | 'hsm-create-release' | 'software-create' | 'hsm-key' | 'software-key';
  /** Of the weighted sum over key sizes: RSA-2048 and EC count 1, RSA-3072 4 (HSM and software), RSA-4096 8. */
  readonly weight: number;
}

/** Per vault and 10 seconds. */
export const LIMITS_PER_10S: Readonly<Record<LimitClass['bucket'], number>> = {
  'create-secret': 300,
  'secret-vault': 4_000,
  'hsm-create-release': 10,
  'software-create': 20,
  'hsm-key': 2_000,
  'software-key': 4_000,
};

const WINDOW_MS = 10_000;

interface Window {
  readonly entries: { readonly at: number; readonly weight: number }[];
  sum: number;
}

/**
 * Counts requests over a sliding window of 10 seconds. Microsoft's documentation says both that refused requests count and that they
 * do not; counting them is the stricter reading, under which clients that retry too eagerly never get anything.
 */
export class ServiceLimits {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly countRefused = true,
    private readonly limits: Readonly<Record<LimitClass['bucket'], number>> = LIMITS_PER_10S,
  ) {}

  /** @throws KeyVaultError 429 without Retry-After */
  count(vault: string, { bucket, weight }: LimitClass, now: number): void {
    const key = `${vault}/${bucket}`;
    const window = this.windows.get(key) ?? { entries: [], sum: 0 };
    this.windows.set(key, window);
    let expired = 0;
    for (const entry of window.entries) {
      if (entry.at > now - WINDOW_MS) break;
      window.sum -= entry.weight;
      expired++;
    }
    if (expired > 0) window.entries.splice(0, expired);
    const refused = window.sum + weight > this.limits[bucket];
    if (!refused || this.countRefused) {
      window.entries.push({ at: now, weight });
      window.sum += weight;
    }
    if (refused) throw throttled();
  }
}

/** The class of a request that is no key operation; keys tell their own size and protection. */
export function limitClassOf(action: string): LimitClass {
  const creates = ['secrets/set', 'keys/import', 'certificates/import'];
  return { bucket: creates.includes(action) ? 'create-secret' : 'secret-vault', weight: 1 };
}
