/** How many refusals in a second are worth an event: a flood of them must not flood the log. */
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
