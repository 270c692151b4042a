import { RefusalAllowance } from '#platform';
import { asSiegelError } from '#contracts';
import { Logger } from '@nestjs/common';
import { hash } from 'node:crypto';
import { CoordinatorError, type CoordinatorErrorCode } from '../coordinator-error.js';
import type { Coordinator } from '../state/coordinator.js';
import { userNameOf } from '../users-roles/users.js';
import type { ApiContext, ApiRequest, Handler } from './api-request.js';
import { type ApiResponse, error, failure, METHOD_NOT_ALLOWED, success } from './envelope.js';
import type { Routes } from './routes.js';
import { V1_ROUTES } from './v1-api.js';
import { V2_ROUTES } from './v2-api.js';

const REFUSALS_PER_SECOND = 100;

/** Refusals of somebody, which are in the log before they are told; what is merely asked at the wrong time is not. */
const LOGGED: ReadonlySet<CoordinatorErrorCode> = new Set([
  'UNAUTHORIZED',
  'FORBIDDEN',
  'MANIFEST_INVALID',
  'UPDATE_REFUSED',
  'RECOVERY_REFUSED',
  'RATE_LIMITED',
  'QUOTE_REFUSED',
]);

/** Version 2 tells the client's faults as such, and everything that it cannot help as 500 (reference §3). */
const V2_FAILURES: Partial<Record<CoordinatorErrorCode, number>> = {
  REQUEST_INVALID: 400,
  QUOTE_REFUSED: 400,
  UNAUTHORIZED: 401,
};
const ERRORS: Partial<Record<CoordinatorErrorCode, number>> = {
  UNAUTHORIZED: 401,
  FEATURE_DISABLED: 403,
  NO_UPDATE: 404,
  GONE: 410,
  RATE_LIMITED: 429,
};
/** Where version 1 calls every failure the client's. */
const V1_BAD_REQUEST: ReadonlySet<string> = new Set([
  'POST /manifest',
  'POST /update',
  'GET /secrets',
  'POST /secrets',
]);

/** Answers requests of one deployment's clients. */
export class ApiRouter {
  private readonly log = new Logger('marblerun');
  private readonly allowance = new RefusalAllowance(REFUSALS_PER_SECOND);

  /** Whether there is anything at this address; where not, the body need not be read. */
  knows(method: string, path: string): boolean {
    return handlerOf(method, path) !== undefined;
  }

  async answer(request: ApiRequest, context: ApiContext): Promise<ApiResponse> {
    const operation = `${request.method} ${request.path}`;
    const handler = handlerOf(request.method, request.path);
    if (!handler) return METHOD_NOT_ALLOWED;
    try {
      return success(await handler(request, context));
    } catch (thrown) {
      try {
        if (thrown instanceof CoordinatorError) {
          const logged = await this.record(thrown, operation, request, context.coordinator);
          return logged ? refusal(thrown, operation) : TOO_MANY;
        }
        return this.outage(thrown, operation);
      } catch (unlogged) {
        return this.outage(unlogged, operation);
      }
    }
  }

  /** False: not logged, as there are too many of them, so that it must not be told either. */
  private async record(
    refused: CoordinatorError,
    operation: string,
    { certificate, source }: ApiRequest,
    coordinator: Coordinator,
  ): Promise<boolean> {
    const recovering = operation === 'POST /api/v2/recover' && refused.code === 'REQUEST_INVALID';
    if (!LOGGED.has(refused.code) && !recovering) return true;
    if (!this.allowance.take()) return false;
    const manifest = coordinator.current?.manifest?.parsed;
    const user = manifest && certificate && userNameOf(manifest, certificate);
    const { settings } = coordinator;
    await coordinator.log([
      {
        tenant: settings.tenant,
        type: 'coordinator.refused',
        outcome: 'denied',
        reason: { code: refused.code, message: refused.message.slice(0, 1_000) || refused.code },
        data: {
          deployment: settings.name,
          operation: operation.slice(0, 128),
          ...(user === undefined ? {} : { actor: `user:${user}`.slice(0, 160) }),
          ...(certificate && user === undefined ? { certificate: hash('sha256', certificate, 'hex') } : {}),
          source: source.slice(0, 64),
        },
      },
    ]);
    return true;
  }

  private outage(thrown: unknown, operation: string): ApiResponse {
    const known = asSiegelError(thrown);
    if (known.code === 'INTERNAL') this.log.error(known.cause ?? known);
    else this.log.warn(`${operation}: ${known.code}`);
    return error(known.entry.http, `${known.code}: ${known.entry.title}`);
  }
}

const TOO_MANY = error(429, 'too many requests were refused; try again');
const ROUTES: Routes = { ...V1_ROUTES, ...V2_ROUTES };

function handlerOf(method: string, path: string): Handler | undefined {
  const key = `${method} ${path}` as keyof Routes;
  return Object.hasOwn(ROUTES, key) ? ROUTES[key] : undefined;
}

function refusal({ code, message, options }: CoordinatorError, operation: string): ApiResponse {
  if (operation.includes(' /api/v2/')) {
    const failed = V2_FAILURES[code];
    return failed === undefined
      ? error(ERRORS[code] ?? 500, message)
      : failure(failed, message, options.data ?? null);
  }
  const status = V1_BAD_REQUEST.has(operation) || code === 'REQUEST_INVALID' ? 400 : 500;
  return error(ERRORS[code] ?? status, message);
}
