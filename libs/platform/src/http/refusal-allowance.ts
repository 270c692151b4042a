/** How many refusals in a second are worth an event: a flood of garbage must not become a flood of events. */
export class RefusalAllowance {
  private left: number;
  private refilledAt: number;

  /** @param clock milliseconds that never go back */
  constructor(
    private readonly perSecond: number,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.left = perSecond;
    this.refilledAt = clock();
  }

  /** Whether one more may be logged. */
  take(): boolean {
    const now = this.clock();
    this.left = Math.min(this.perSecond, this.left + ((now - this.refilledAt) / 1_000) * this.perSecond);
    this.refilledAt = now;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}
