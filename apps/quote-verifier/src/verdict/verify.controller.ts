import { QUEUES, SUBJECTS } from '#contracts';
import { Catch, Controller, Inject, UseFilters, type RpcExceptionFilter } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import { EvidenceHandover } from '../retention/evidence-handover.js';
import { VerifyService } from './verify.service.js';

/** Lets errors reach the responder as they are; Nest's own filter would replace them by an object without a code. */
@Catch()
export class PassErrors implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Evidence in, signed verdict out, over NATS. */
@Controller()
@UseFilters(PassErrors)
export class VerifyController {
  constructor(
    private readonly verifier: VerifyService,
    @Inject(EvidenceHandover) private readonly handover: EvidenceHandover,
  ) {}

  @MessagePattern(SUBJECTS.verify, { queue: QUEUES.verifier })
  async verify(body: Uint8Array): Promise<string> {
    const reply = await this.verifier.verify(body);
    this.handover.offer(body, reply);
    return reply;
  }
}
