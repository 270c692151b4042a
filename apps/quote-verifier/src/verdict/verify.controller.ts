import { QUEUES, SUBJECTS } from '#contracts';
import { Catch, Controller, UseFilters, type RpcExceptionFilter } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
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
  constructor(private readonly verifier: VerifyService) {}

  @MessagePattern(SUBJECTS.verify, { queue: QUEUES.verifier })
  verify(body: Uint8Array): Promise<string> {
    return this.verifier.verify(body);
  }
}
