import type { VaultsHealth, VaultStatus } from '#contracts';
import { METRICS, type Readiness } from '#platform';
import type { VaultHealth, VaultRegistry } from '#vault';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Gauge, type Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { VAULTS } from './vaults.token.js';

/** A vault that has not answered by then is reported as unreachable; the command line waits a little longer. */
const CHECK_TIMEOUT_MS = 12_000;

/**
 * Asks every vault at start and from then on whether it answers to this identity, and says so in the log when that changes. A vault
 * that is out of reach makes no replica unready: what needs no secret of it goes on, and no other replica would reach it either.
 */
@Injectable()
export class VaultMonitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('vaults');
  private readonly known = new Map<string, VaultStatus>();
  private readonly up: Gauge<'vault'>;
  private checking: Promise<VaultsHealth> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) registry: Registry,
  ) {
    this.up = new Gauge({
      name: 'siegel_vault_up',
      help: 'Whether the vault answered to this service when it was last asked',
      labelNames: ['vault'],
      registers: [registry],
    });
  }

  onApplicationBootstrap(): void {
    void this.check();
    this.timer = setInterval(() => void this.check(), this.environment.SIEGEL_VAULT_CHECK_SECONDS * 1_000);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Asks every vault now; callers that come while it is being done share the answer. */
  check(): Promise<VaultsHealth> {
    this.checking ??= this.ask().finally(() => (this.checking = undefined));
    return this.checking;
  }

  /** For readiness: names and codes only, since anyone may read it. Always ok. */
  readiness(): Readiness {
    const states = this.vaults.names.map((name) => {
      const status = this.known.get(name);
      return `${name}: ${status === undefined ? 'not asked yet' : status.ok ? 'ok' : (status.code ?? 'failed')}`;
    });
    return { ok: true, detail: states.join(', ') || 'none is configured' };
  }

  private async ask(): Promise<VaultsHealth> {
    const circuits = this.vaults.stats();
    const vaults = await Promise.all(
      this.vaults.names.map(async (name): Promise<VaultStatus> => {
        const source = this.vaults.get(name);
        const health = await inTime(source.check());
        const reader = circuits[name];
        return {
          name,
          kind: source.kind,
          ...trimmed(health),
          checkedAt: new Date().toISOString(),
          ...(reader === undefined ? {} : { circuit: reader.circuit, throttled: reader.throttled }),
        };
      }),
    );
    for (const status of vaults) this.note(status);
    return { vaults };
  }

  private note(status: VaultStatus): void {
    const { name, ok, code, message, remedy, requestId } = status;
    const before = this.known.get(name);
    this.known.set(name, status);
    this.up.set({ vault: name }, ok ? 1 : 0);
    if (before?.ok === ok && before.code === code) return;
    if (ok) this.log.log({ msg: `vault "${name}" answers`, vault: name });
    else
      this.log.warn({
        msg: `vault "${name}" does not answer to this service: ${message ?? ''}`,
        vault: name,
        code,
        remedy,
        ...(requestId === undefined ? {} : { requestId }),
      });
  }
}

async function inTime(check: Promise<VaultHealth>): Promise<VaultHealth> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<VaultHealth>((resolve) => {
    timer = setTimeout(
      () =>
        resolve({
          ok: false,
          code: 'VAULT_UNREACHABLE',
          message: `no answer in ${CHECK_TIMEOUT_MS / 1_000} seconds`,
          remedy: 'Check name resolution, routes, network policy and private endpoint.',
        }),
      CHECK_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([check, late]);
  } catch (error) {
    return { ok: false, code: 'INTERNAL', message: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}

function trimmed({ ok, code, message, remedy, latencyMs, requestId }: VaultHealth) {
  return {
    ok,
    ...(code === undefined ? {} : { code }),
    ...(message === undefined ? {} : { message: message.slice(0, 2_000) }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs) }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}
