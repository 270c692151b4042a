/** How many refusals per second are worth an event where no evidence was handed in: a flood of garbage must not flood the log. */
export class RefusalAllowance {
  private left: number;
  private refilledAt: number;

  constructor(
    private readonly perSecond: number,
    private readonly clock: () => number = Date.now,
  ) {
    this.left = perSecond;
    this.refilledAt = clock();
  }

  take(): boolean {
    const now = this.clock();
    this.left = Math.min(this.perSecond, this.left + ((now - this.refilledAt) / 1_000) * this.perSecond);
    this.refilledAt = now;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}
