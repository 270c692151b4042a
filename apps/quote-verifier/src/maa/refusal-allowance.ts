/** How many refusals are logged per second: a flood of bad quotes must not become a flood of events. */
export class RefusalAllowance {
  private left: number;
  private refilledAt = performance.now();

  constructor(private readonly perSecond: number) {
    this.left = perSecond;
  }

  take(): boolean {
    const now = performance.now();
    this.left = Math.min(this.perSecond, this.left + ((now - this.refilledAt) / 1_000) * this.perSecond);
    this.refilledAt = now;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}
