import { QUEUES, SiegelError, SUBJECTS } from '#contracts';
import { Controller, Inject, Optional, UseFilters } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { PassErrors } from '../intake/append.controller.js';
import { Retention } from './retention.js';

/** What verifiers hand over, over NATS. */
@Controller()
@UseFilters(PassErrors)
export class HandoverController {
  constructor(@Optional() @Inject(Retention) private readonly retention: Retention | undefined) {}

  @MessagePattern(SUBJECTS.auditEvidence, { queue: QUEUES.audit })
  evidence(body: Uint8Array): string {
    return JSON.stringify(this.required().take(body));
  }

  @MessagePattern(SUBJECTS.auditCollateral, { queue: QUEUES.audit })
  async collateral(body: Uint8Array): Promise<string> {
    await this.required().takeCollateral(body);
    return '';
  }

  private required(): Retention {
    if (!this.retention) throw new SiegelError('NOT_FOUND', { detail: 'evidence is not kept here' });
    return this.retention;
  }
}
