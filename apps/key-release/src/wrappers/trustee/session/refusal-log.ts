import { asSiegelError, SiegelError } from '#contracts';
import { RefusalAllowance } from '#platform';
import { Injectable } from '@nestjs/common';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { TRUSTEE_PROTOCOL } from '../attest/names.js';

const LOGGED_PER_SECOND = 100;

/**
 * Logs what is refused before there is any evidence to verify (malformed, replayed, foreign nonce): an event all the same. Above the
 * rate such requests are answered 429 and not looked at: a flood of garbage must not become a flood of events.
 */
@Injectable()
export class RefusalLog {
  private readonly allowance = new RefusalAllowance(LOGGED_PER_SECOND);

  constructor(private readonly pipeline: ReleasePipeline) {}

  /** @throws SiegelError as `step` does, its event in the log; RATE_LIMITED */
  async recording<T>(tenant: string, step: () => T): Promise<T> {
    try {
      return step();
    } catch (thrown) {
      const error = asSiegelError(thrown);
      if (error.entry.http >= 500) throw error;
      this.admit();
      await this.pipeline.recordMalformed(tenant, TRUSTEE_PROTOCOL, error);
      throw error;
    }
  }

  /** Before a refusal is logged. @throws SiegelError RATE_LIMITED */
  admit(): void {
    if (!this.allowance.take()) throw new SiegelError('RATE_LIMITED');
  }
}
