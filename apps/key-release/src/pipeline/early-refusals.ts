import { SiegelError } from '#contracts';
import { RefusalAllowance } from '#platform';
import type { ReleasePipeline } from './release-pipeline.js';

/** Refusals that are logged per second where no evidence was handed in; a flood of garbage must not become a flood of events. */
const LOGGED_PER_SECOND = 100;

/** Logs what a protocol refuses before the pipeline could see it. Above the rate it is refused all the same, and not logged. */
export class EarlyRefusals {
  private readonly allowance: RefusalAllowance;

  constructor(
    private readonly pipeline: Pick<ReleasePipeline, 'recordMalformed'>,
    private readonly protocol: string,
    clock?: () => number,
  ) {
    this.allowance = new RefusalAllowance(LOGGED_PER_SECOND, clock);
  }

  /** Runs what reads a request; a refusal of it is in the log when it is thrown on. */
  async around<T>(tenant: string, read: () => T): Promise<T> {
    try {
      return read();
    } catch (error) {
      const decided = error instanceof SiegelError && error.entry.http < 500;
      if (decided && this.allowance.take()) await this.pipeline.recordMalformed(tenant, this.protocol, error);
      throw error;
    }
  }
}

/** A refusal with the operator's reason. */
export const refusal = (
  error: ConstructorParameters<typeof SiegelError>[0],
  code: string,
  message: string,
): SiegelError => new SiegelError(error, { reason: { code, message: message.slice(0, 1_000) } });
