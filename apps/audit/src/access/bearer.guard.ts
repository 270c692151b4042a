import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { TokenCheck } from './token-check.js';

/** Lets a request pass that carries the token. */
@Injectable()
export class BearerGuard implements CanActivate {
  constructor(private readonly tokens: TokenCheck) {}

  canActivate(context: ExecutionContext): boolean {
    this.tokens.require(context.switchToHttp().getRequest<FastifyRequest>().headers.authorization);
    return true;
  }
}
