import { SiegelError } from '#contracts';
import type { ReleasePipeline } from './release-pipeline.js';

/** Refusals that are logged per second where no evidence was handed in; a flood of garbage must not become a flood of events. */
const LOGGED_PER_SECOND = 100;

/** Logs what a protocol refuses before the pipeline could see it. Above the rate it is refused all the same, and not logged. */
export class EarlyRefusals {
  private left = LOGGED_PER_SECOND;
  private refilledAt: number;

  constructor(
    private readonly pipeline: Pick<ReleasePipeline, 'recordMalformed'>,
    private readonly protocol: string,
    private readonly clock: () => number = Date.now,
  ) {
    this.refilledAt = clock();
  }

  /** Runs what reads a request; a refusal of it is in the log when it is thrown on. */
  async around<T>(tenant: string, read: () => T): Promise<T> {
    try {
      return read();
    } catch (error) {
      const decided = error instanceof SiegelError && error.entry.http < 500;
      if (decided && this.take()) await this.pipeline.recordMalformed(tenant, this.protocol, error);
      throw error;
    }
  }

  private take(): boolean {
    const now = this.clock();
    const refill = ((now - this.refilledAt) / 1_000) * LOGGED_PER_SECOND;
    this.left = Math.min(LOGGED_PER_SECOND, this.left + refill);
    this.refilledAt = now;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}

/** A refusal with the operator's reason. */
export const refusal = (
  error: ConstructorParameters<typeof SiegelError>[0],
  code: string,
  message: string,
): SiegelError => new SiegelError(error, { reason: { code, message: message.slice(0, 1_000) } });
