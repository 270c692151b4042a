import type { PckQuery } from '#collateral';
import { LRUCache } from 'lru-cache';
import { CollateralUnavailable } from './collateral-failure.js';
import type { CollateralFetcher } from './collateral-fetcher.js';

const FOUND_MS = 3_600_000;
const MISSED_MS = 60_000;
const MAX_KNOWN = 4_096;
/** Whoever sends evidence chooses what is looked up, so that look-ups are few at a time. */
const MAX_AT_ONCE = 8;

/** PCK chains that sources gave, remembered; also those that no source has, for a while. */
export class PckChains {
  private readonly known = new LRUCache<string, { chain: string } | { missing: string }>({ max: MAX_KNOWN });
  private readonly looking = new Map<string, Promise<string>>();

  constructor(
    private readonly fetcher: Pick<CollateralFetcher, 'pckChain'>,
    private readonly waitMs: number,
  ) {}

  /** Throws CollateralUnavailable. */
  async find(query: PckQuery): Promise<string> {
    const id = JSON.stringify(query);
    const known = this.known.get(id);
    if (known !== undefined) {
      if ('chain' in known) return known.chain;
      throw new CollateralUnavailable(known.missing);
    }
    const underway = this.looking.get(id);
    if (underway !== undefined) return underway;
    if (this.looking.size >= MAX_AT_ONCE) throw new CollateralUnavailable('too many PCK look-ups at once');
    const looking = this.look(id, query).finally(() => this.looking.delete(id));
    this.looking.set(id, looking);
    return looking;
  }

  private async look(id: string, query: PckQuery): Promise<string> {
    try {
      const chain = await this.fetcher.pckChain(query, AbortSignal.timeout(this.waitMs));
      this.known.set(id, { chain }, { ttl: FOUND_MS });
      return chain;
    } catch (error) {
      this.known.set(id, { missing: (error as Error).message }, { ttl: MISSED_MS });
      throw error;
    }
  }
}
