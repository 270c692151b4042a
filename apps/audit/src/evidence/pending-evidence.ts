/** Evidence that a verifier handed over and no event has named yet. */
export interface Handed {
  bytes: Uint8Array;
  at: number;
}

export interface PendingLimits {
  maxItems: number;
  maxBytes: number;
  maxAgeMs: number;
}

const LIMITS: PendingLimits = { maxItems: 4_096, maxBytes: 32 * 1024 * 1024, maxAgeMs: 180_000 };

/**
 * Waits, by digest, for the event that names it; bounded, the oldest leaving first. Whoever may speak to the broker can fill it with
 * junk and so push out what is real: that is recorded as missing, and nothing that no event names is ever kept.
 */
export class PendingEvidence {
  private readonly items = new Map<string, Handed>();
  private total = 0;

  constructor(private readonly limits: PendingLimits = LIMITS) {}

  get size(): number {
    return this.items.size;
  }

  put(sha256: string, bytes: Uint8Array, now: number): void {
    this.delete(sha256);
    this.items.set(sha256, { bytes, at: now });
    this.total += bytes.length;
    const { maxItems, maxBytes, maxAgeMs } = this.limits;
    for (const [oldest, { at }] of this.items) {
      if (this.items.size <= maxItems && this.total <= maxBytes && now - at <= maxAgeMs) break;
      this.delete(oldest);
    }
  }

  get(sha256: string): Uint8Array | undefined {
    return this.items.get(sha256)?.bytes;
  }

  delete(sha256: string): void {
    const item = this.items.get(sha256);
    if (!item) return;
    this.items.delete(sha256);
    this.total -= item.bytes.length;
  }
}
