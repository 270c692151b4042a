import { SiegelError } from '#contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CollateralRefused, CollateralUnavailable } from '../collateral/collateral-failure.js';
import { CollateralService } from '../collateral/collateral.service.js';
import type { Attempt, Findings } from '../engine/attempt.js';
import type { VerificationEngine } from '../engine/verification-engine.js';
import { VerdictMetrics } from './verdict-metrics.js';

export const VERIFICATION_ENGINE = Symbol('VERIFICATION_ENGINE');

/** A quote may need its PCK chain, then collateral; evidence that is not settled then never will be. */
const MAX_ATTEMPTS = 4;

/** One request, from its bytes to the bytes of the reply; gets what the engine misses in between. */
@Injectable()
export class VerifyService {
  private readonly log = new Logger(VerifyService.name);

  constructor(
    @Inject(VERIFICATION_ENGINE) private readonly engine: VerificationEngine,
    private readonly collateral: CollateralService,
    private readonly metrics: VerdictMetrics,
  ) {}

  /** Gives a VerifyReply as JSON. Throws SiegelError for malformed requests and for trouble of the service itself. */
  async verify(body: Uint8Array): Promise<string> {
    const started = performance.now();
    let findings: Findings | undefined;
    for (let round = 0; round < MAX_ATTEMPTS; round++) {
      const attempt = await this.engine.attempt(body, findings);
      if (attempt.kind === 'reply') {
        this.metrics.verdict(attempt.code, performance.now() - started);
        return attempt.body;
      }
      if (attempt.kind === 'error')
        throw this.failed(new SiegelError(attempt.code, detailOf(attempt.detail)));
      findings = { ...findings, ...(await this.find(attempt)) };
    }
    throw this.failed(new SiegelError('COLLATERAL_UNAVAILABLE'));
  }

  /** Gets what an attempt lacked, or finds that the evidence must be refused. */
  private async find(attempt: Attempt & { kind: 'needs-collateral' | 'needs-pck' }): Promise<Findings> {
    try {
      if (attempt.kind === 'needs-pck') return { pckChain: await this.collateral.pckChain(attempt.query) };
      await this.collateral.obtain(attempt.key);
      return {};
    } catch (error) {
      if (error instanceof CollateralRefused)
        return { refusal: { code: error.code, message: error.message, step: error.step } };
      if (!(error instanceof CollateralUnavailable)) throw error;
      if (attempt.kind === 'needs-pck')
        return {
          refusal: {
            code: 'PCK_LOOKUP_REQUIRED',
            message: 'the quote names its PCK certificate and no source gave it',
            step: 'pck-chain',
          },
        };
      this.log.warn(error.message);
      throw this.failed(
        new SiegelError('COLLATERAL_UNAVAILABLE', {
          detail: `no collateral for ${attempt.key.tee} ${attempt.key.fmspc} (${attempt.key.ca} CA)`,
          reason: { code: 'COLLATERAL_UNAVAILABLE', message: error.message },
        }),
      );
    }
  }

  private failed(error: SiegelError): SiegelError {
    this.metrics.failed(error.code);
    return error;
  }
}

const detailOf = (detail: string): { detail?: string } => (detail === '' ? {} : { detail });
