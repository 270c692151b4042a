import { SiegelError } from '#contracts';
import { Logger, type Type, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import type { Logger as Pino } from 'pino';
import { ServiceLogger } from '../logging/logger.js';
import { answerBrokenRequest } from './broken-request.js';
import { ProblemFilter, sendProblem } from './problem-filter.js';

export interface HttpOptions {
  readonly pino: Pino;
  readonly https?: ServerOptions;
  /** Largest request body in bytes. */
  readonly bodyLimit: number;
  /** Time for a whole request to arrive, in milliseconds. */
  readonly requestTimeoutMs?: number;
}

/** A Nest application on Fastify with our limits, error format and logger; nothing of Fastify's own error pages is left. */
export async function createHttpApplication(
  module: Type | DynamicModule,
  options: HttpOptions,
): Promise<NestFastifyApplication> {
  const log = new Logger('http');
  const adapter = new FastifyAdapter({
    ...(options.https ? { https: options.https } : {}),
    bodyLimit: options.bodyLimit,
    requestTimeout: options.requestTimeoutMs ?? 10_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: 256 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // The caller's own id would let it write into our log; ours is random.
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    logger: false,
    return503OnClosing: true,
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
    frameworkErrors: (_error, request, reply) =>
      sendProblem(
        reply as FastifyReply,
        request as FastifyRequest,
        new SiegelError('REQUEST_MALFORMED'),
        log,
      ),
  } as ConstructorParameters<typeof FastifyAdapter>[0]);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: new ServiceLogger(options.pino),
    // Fastify's own parser for JSON and nothing else: a form or a text is no request to us, whatever it holds.
    bodyParser: false,
    abortOnError: false,
  });
  app.getHttpAdapter().getInstance().removeContentTypeParser('text/plain');
  app.useGlobalFilters(new ProblemFilter());
  return app;
}
