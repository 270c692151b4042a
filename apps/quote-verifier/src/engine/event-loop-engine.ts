import type { CollateralKey } from '#collateral';
import type { CollateralBundle } from '#dcap';
import {
  factsOf,
  openCollateral,
  type EpochFacts,
  type OpeningSettings,
} from '../collateral/collateral-opener.js';
import type { VerifiedCollateral } from '../collateral/collateral-fetcher.js';
import type { Attempt, Findings } from './attempt.js';
import type { VerdictMaker } from './verdict-maker.js';
import { MAX_WAITING, OVERLOADED, type VerificationEngine } from './verification-engine.js';

/** Time for verification in one turn of the event loop (ms): what else there is to do waits no longer than this and one request. */
const TURN_MS = 2;

interface Job {
  readonly body: Uint8Array;
  readonly findings: Findings | undefined;
  readonly settle: (attempt: Attempt) => void;
}

/** Verifies on the event loop, in slices: a burst of requests never keeps the loop from its other work. */
export class EventLoopEngine implements VerificationEngine {
  private queue: Job[] = [];
  private head = 0;
  private turnStarted = 0;
  private turnOpen = false;

  constructor(
    private readonly maker: VerdictMaker,
    private readonly settings: OpeningSettings,
    private readonly clock: () => Date,
  ) {}

  attempt(body: Uint8Array, findings?: Findings): Promise<Attempt> {
    if (!this.turnOpen) this.openTurn();
    if (this.waiting === 0 && performance.now() - this.turnStarted < TURN_MS)
      return Promise.resolve(this.maker.attempt(body, findings));
    if (this.waiting >= MAX_WAITING) return Promise.resolve(OVERLOADED);
    return new Promise((settle) => this.queue.push({ body, findings, settle }));
  }

  adopt(key: CollateralKey, collateral: VerifiedCollateral): void {
    this.maker.adopt(key, openCollateral(key, collateral.bundle, this.settings, this.clock()));
  }

  async open(key: CollateralKey, bundle: CollateralBundle, at: Date): Promise<EpochFacts> {
    return factsOf(openCollateral(key, bundle, this.settings, at));
  }

  async close(): Promise<void> {
    while (this.waiting > 0) this.work(Infinity);
  }

  private get waiting(): number {
    return this.queue.length - this.head;
  }

  /** A turn ends when the loop comes round to its immediates; what waits then gets the next turn. */
  private openTurn(): void {
    this.turnOpen = true;
    this.turnStarted = performance.now();
    setImmediate(() => {
      this.turnOpen = false;
      if (this.waiting === 0) return;
      this.openTurn();
      this.work(TURN_MS);
    });
  }

  private work(budgetMs: number): void {
    while (this.waiting > 0 && performance.now() - this.turnStarted < budgetMs) {
      const { body, findings, settle } = this.queue[this.head++] as Job;
      settle(this.maker.attempt(body, findings));
    }
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head > 1_024) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
  }
}
