import { SiegelError, SUBJECTS } from '#contracts';
import { NO_ANSWER } from '#platform';
import { Controller, Inject, Optional, UseFilters } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { PassErrors } from '../intake/append.controller.js';
import { Retention } from './retention.js';

/** What verifiers hand over, over NATS; see evidence-gate.ts for who hears it. */
@Controller()
@UseFilters(PassErrors)
export class HandoverController {
  constructor(@Optional() @Inject(Retention) private readonly retention: Retention | undefined) {}

  @MessagePattern(SUBJECTS.auditEvidence, { onDemand: true })
  evidence(body: Uint8Array): string | typeof NO_ANSWER {
    const reply = this.required().take(body);
    return reply === undefined ? NO_ANSWER : JSON.stringify(reply);
  }

  @MessagePattern(SUBJECTS.auditCollateral, { onDemand: true })
  async collateral(body: Uint8Array): Promise<string | typeof NO_ANSWER> {
    return (await this.required().takeCollateral(body)) ? '' : NO_ANSWER;
  }

  private required(): Retention {
    if (!this.retention) throw new SiegelError('NOT_FOUND', { detail: 'evidence is not kept here' });
    return this.retention;
  }
}
