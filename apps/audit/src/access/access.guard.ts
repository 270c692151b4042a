import { SiegelError } from '#contracts';
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Access } from './access.js';
import type { Action, Principal } from './roles.js';

const ACTION = 'siegel:action';
type KnownRequest = FastifyRequest & { siegelPrincipal?: Principal };

/** What a caller must be allowed to do, on one tenant at least; which tenants is the handler's to look at. */
export const Requires = (action: Action) => SetMetadata(ACTION, action);

/** Whoever asks; there is one behind the guard. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { siegelPrincipal } = context.switchToHttp().getRequest<KnownRequest>();
  if (!siegelPrincipal) throw new SiegelError('ADMIN_UNAUTHENTICATED');
  return siegelPrincipal;
});

/** Lets a request pass whose sender may do what the handler {@link Requires}; a handler that requires nothing lets nobody pass. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly access: Access,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<KnownRequest>();
    const principal = await this.access.principal(request);
    const action = this.reflector.getAllAndOverride<Action | undefined>(ACTION, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (action === undefined) throw new SiegelError('ADMIN_FORBIDDEN');
    principal.require(action);
    request.siegelPrincipal = principal;
    return true;
  }
}
