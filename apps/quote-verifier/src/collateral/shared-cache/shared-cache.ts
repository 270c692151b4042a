import type { CollateralBundle } from '#dcap';

/** Collateral that some replica fetched. */
export interface SharedCollateral {
  readonly bundle: CollateralBundle;
  readonly fetchedAt: Date;
  /** The source it was fetched from. */
  readonly source: string;
}

/** The right to fetch for a key while the others wait; it runs out by itself. */
export interface Lease {
  release(): Promise<void>;
}

/**
 * Where replicas share what they fetched. It is untrusted: a reader verifies the collateral again. Nothing here throws: a cache
 * that does not answer is an empty one.
 */
export interface SharedCache {
  read(key: string): Promise<SharedCollateral | undefined>;
  write(key: string, collateral: SharedCollateral): Promise<void>;
  /** `undefined`: another replica fetches at this moment. */
  lease(key: string): Promise<Lease | undefined>;
  /** Calls back with the key of every entry that changes, until it is closed. */
  watch(changed: (key: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** For a single replica, or a broker without JetStream. */
export class NoSharedCache implements SharedCache {
  async read(): Promise<undefined> {
    return undefined;
  }
  async write(): Promise<void> {}
  async lease(): Promise<Lease> {
    return { release: async () => undefined };
  }
  async watch(): Promise<void> {}
  async close(): Promise<void> {}
}
