import { asSiegelError, SUBJECTS } from '#contracts';
import { METRICS, NO_ANSWER } from '#platform';
import { Catch, Controller, Inject, type RpcExceptionFilter, UseFilters } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Counter, type Registry } from 'prom-client';
import { type Observable, throwError } from 'rxjs';
import { AuditLog } from '../audit-log.js';
import { OutcomeUnknown } from '../sequencing/sequencer.js';

/** Lets errors reach the responder as they are; Nest's own filter would replace them by an object without a code. */
@Catch()
export class PassErrors implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Signed event in, promise out, over NATS; only while this process leads (append-gate.ts). */
@Controller()
@UseFilters(PassErrors)
export class AppendController {
  private readonly refused: Counter;

  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Inject(METRICS) registry: Registry,
  ) {
    this.refused = new Counter({
      name: 'siegel_audit_refused_total',
      help: 'Events that were not taken, by code',
      labelNames: ['code'],
      registers: [registry],
    });
  }

  @MessagePattern(SUBJECTS.auditAppend, { onDemand: true })
  async append(body: Uint8Array): Promise<string | typeof NO_ANSWER> {
    try {
      return await this.log.sequencer.append(this.log.intake.accept(body));
    } catch (error) {
      // Whether it is stored only the leader knows: the emitter hears from it, when it asks again at the latest.
      if (error instanceof OutcomeUnknown) return NO_ANSWER;
      this.refused.inc({ code: asSiegelError(error).code });
      throw error;
    }
  }
}
