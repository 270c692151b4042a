import { SiegelError } from '#contracts';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigurationError } from '#platform';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';

const MIN_TOKEN_CHARACTERS = 32;

/** Who acts, for events. The embedded default knows one administrator; an identity provider names more. */
export const ADMIN_ACTOR = 'admin-token';

/** The admin API's bearer token, compared by digest in constant time. */
@Injectable()
export class AdminGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(@Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment) {
    const token = readFileSync(environment.SIEGEL_ADMIN_TOKEN_FILE, 'utf8').trim();
    if (token.length < MIN_TOKEN_CHARACTERS) {
      throw new ConfigurationError([
        {
          variable: 'SIEGEL_ADMIN_TOKEN_FILE',
          message: `holds fewer than ${MIN_TOKEN_CHARACTERS} characters`,
        },
      ]);
    }
    this.expected = hash('sha256', token, 'buffer');
  }

  canActivate(context: ExecutionContext): boolean {
    const { authorization } = context.switchToHttp().getRequest<FastifyRequest>().headers;
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || !timingSafeEqual(hash('sha256', token, 'buffer'), this.expected)) {
      throw new SiegelError('ADMIN_UNAUTHENTICATED');
    }
    return true;
  }
}
