import { SiegelError } from '#contracts';
import { asHttpError, RefusalAllowance, sendProblem } from '#platform';
import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ReleasePipeline } from '../pipeline/release-pipeline.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import type { AttestingRoute } from './attesting-route.js';

/** Malformed requests that are logged per second; a flood of garbage must not become a flood of events. */
const LOGGED_PER_SECOND = 100;

/**
 * Answers every error of this service; a refused request to a route where enclaves attest that never reached the pipeline (unparsable, too
 * large, wrong type) is logged as a denial first. Above the rate such requests are answered 429 and not looked at.
 */
@Injectable()
@Catch()
export class RefusalFilter implements ExceptionFilter {
  private readonly log = new Logger('http');
  private readonly allowance = new RefusalAllowance(LOGGED_PER_SECOND);

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
  ) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    sendProblem(reply, request, await this.logged(asHttpError(thrown), request), this.log);
  }

  private async logged(error: SiegelError, request: FastifyRequest): Promise<SiegelError> {
    const { http } = error.entry;
    const { attests } = request.routeOptions.config as unknown as Partial<AttestingRoute>;
    // A route that is switched off has nothing to refuse.
    const concerned = attests !== undefined && http >= 400 && http < 500 && error.code !== 'NOT_FOUND';
    // A caller that hung up in the middle of its request was refused nothing.
    const brokenOff = request.raw.errored !== null;
    if (!concerned || brokenOff || this.pipeline.isRecorded(error)) return error;
    let tenant: string;
    try {
      tenant = this.tenants.resolve(request.headers.host);
    } catch {
      return error;
    }
    if (!this.allowance.take()) return new SiegelError('RATE_LIMITED');
    try {
      await this.pipeline.recordMalformed(tenant, attests, error);
      return error;
    } catch (failure) {
      return failure instanceof SiegelError ? failure : new SiegelError('INTERNAL', { cause: failure });
    }
  }
}
