import { Controller, Get, Global, Injectable, Module, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

export interface Readiness {
  readonly ok: boolean;
  readonly detail?: string;
}
export type ReadinessCheck = () => Readiness | Promise<Readiness>;

const CHECK_TIMEOUT_MS = 2_000;

/** What a service needs before it takes traffic; each provider registers its own check by name. */
@Injectable()
export class HealthRegistry {
  private readonly checks = new Map<string, ReadinessCheck>();
  private draining = false;

  register(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check);
  }

  /** From now on not ready: a load balancer sends no new work while the service drains. */
  drain(): void {
    this.draining = true;
  }

  async ready(): Promise<{ ok: boolean; checks: Record<string, Readiness> }> {
    const entries = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await bounded(check)] as const),
    );
    const checks: Record<string, Readiness> = Object.fromEntries(entries);
    if (this.draining) checks['drain'] = { ok: false, detail: 'the service is shutting down' };
    return { ok: Object.values(checks).every(({ ok }) => ok), checks };
  }
}

async function bounded(check: ReadinessCheck): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Readiness>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: 'no answer in time' }), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), timeout]);
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : 'failed' };
  } finally {
    clearTimeout(timer);
  }
}

@ApiExcludeController()
@Controller('health')
export class HealthController {
  constructor(private readonly registry: HealthRegistry) {}

  /** The process runs and its event loop turns. */
  @Get('live')
  live(): { ok: true } {
    return { ok: true };
  }

  /** The service can do its work: every registered dependency answers. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const state = await this.registry.ready();
    reply.status(state.ok ? 200 : 503);
    return state;
  }
}

@Global()
@Module({ controllers: [HealthController], providers: [HealthRegistry], exports: [HealthRegistry] })
export class HealthModule {}
