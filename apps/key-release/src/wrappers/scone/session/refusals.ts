import type { AuditEmitter } from '#emitter';
import { SiegelError } from '#contracts';
import { RefusalAllowance } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { AUDIT_EMITTER } from '../../../audit/audit.module.js';
import type { SconeError } from '../scone-error.js';
import type { SconeClient } from './client.js';

const LOGGED_PER_SECOND = 100;

/** Logs refusals. Above the rate requests are answered 429: a flood of garbage must not become a flood of events. */
@Injectable()
export class Refusals {
  private readonly allowance = new RefusalAllowance(LOGGED_PER_SECOND);

  constructor(@Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter) {}

  /** @throws SiegelError RATE_LIMITED, or where the log does not answer */
  async record(tenant: string, operation: string, refusal: SconeError, client: SconeClient): Promise<void> {
    if (!this.allowance.take()) throw new SiegelError('RATE_LIMITED');
    const { session } = refusal;
    await this.audit.record({
      tenant,
      type: 'scone.refused',
      outcome: 'denied',
      reason: { code: refusal.code, message: refusal.message },
      data: {
        operation,
        ...(session === undefined ? {} : { session: session.slice(0, 512) }),
        actor: client.actor,
        source: client.source.slice(0, 64),
      },
    });
  }
}
