import { HealthRegistry } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { VerificationClient } from '../../../pipeline/verification.js';
import { CoordinatorError } from '../coordinator-error.js';
import { DEPLOYMENTS } from '../interface.js';
import { recoveryEvent } from '../recovery/recover.js';
import type { Coordinator } from '../state/coordinator.js';
import type { CoordinatorRegistry } from '../state/registry.js';
import { setManifest } from '../updates/set-manifest.js';
import { Operators } from '../users-roles/operators.js';
import type { ApiContext } from './api-request.js';
import { ApiRouter } from './api-router.js';
import { ClientListener } from './client-listener.js';
import { QuoteSigner } from './sign-quote.js';

const RETRY_MS = 1_000;

/** Brings the client API up with the service, and down with it. */
@Injectable()
export class ClientService implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly log = new Logger('marblerun');
  private readonly end = new AbortController();
  private readonly ending = this.end.signal;
  private listener: ClientListener | undefined;

  constructor(
    private readonly verification: VerificationClient,
    private readonly health: HealthRegistry,
    @Inject(DEPLOYMENTS) private readonly registry: CoordinatorRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.registry.all.length === 0) return;
    const contexts = this.contexts();
    for (const coordinator of this.registry.all) await this.begin(coordinator);
    const { environment } = this;
    this.listener = new ClientListener(
      this.registry,
      new ApiRouter(),
      (coordinator) => contexts.get(coordinator)!,
      {
        timeoutMs: environment.SIEGEL_MARBLERUN_TIMEOUT_MS,
        maxConnections: environment.SIEGEL_MARBLERUN_MAX_CONNECTIONS,
      },
    );
    const port = await this.listener.listen(
      environment.SIEGEL_MARBLERUN_CLIENT_PORT,
      environment.SIEGEL_MARBLERUN_HOST ?? environment.SIEGEL_HTTP_HOST,
    );
    this.health.register('marblerun-clients', () => ({ ok: this.listener?.listening ?? false }));
    this.log.log(`MarbleRun client API on port ${port}, ${this.registry.all.length} deployments`);
  }

  async onModuleDestroy(): Promise<void> {
    this.end.abort();
    await this.listener?.close();
  }

  /** Last, as an activation may still have a count to write. */
  async onApplicationShutdown(): Promise<void> {
    for (const coordinator of this.registry.all) await coordinator.close();
  }

  private contexts(): ReadonlyMap<Coordinator, ApiContext> {
    const token = readFileSync(this.environment.SIEGEL_ADMIN_TOKEN_FILE, 'utf8').trim();
    const quoteSigner = new QuoteSigner((input) => this.verification.verify(input));
    return new Map(
      this.registry.all.map((coordinator) => [
        coordinator,
        { coordinator, quoteSigner, operators: Operators.of(coordinator.settings, token) },
      ]),
    );
  }

  /** Says in what state a deployment comes up, and sets its manifest of start where it has none. */
  private async begin(coordinator: Coordinator): Promise<void> {
    const { name, startupManifest, simulation } = coordinator.settings;
    if (simulation) this.log.warn(`deployment "${name}": marbles without a quote are admitted`);
    if (coordinator.state === 'Recovery') {
      this.log.warn(`deployment "${name}" waits for its recovery: ${coordinator.recovery.why}`);
      // The log may come up later than this; its absence keeps nothing from being recovered.
      void coordinator.log([recoveryEvent(coordinator, { step: 'sealed' })]).catch(() => undefined);
    }
    if (startupManifest === undefined || coordinator.state !== 'AcceptingManifest') return;
    const raw = await readFile(startupManifest);
    void this.setAtStart(coordinator, raw);
  }

  /** As soon as the audit log is there to take the event. */
  private async setAtStart(coordinator: Coordinator, raw: Buffer): Promise<void> {
    const { name } = coordinator.settings;
    while (!this.ending.aborted && coordinator.state === 'AcceptingManifest') {
      try {
        const secrets = await setManifest(coordinator, raw, 'startup');
        this.log.log(`deployment "${name}": manifest of start set`);
        if (secrets.size === 0) return;
        const encrypted = [...secrets].map(([key, value]) => [key, value.toString('base64')]);
        this.log.warn(
          `deployment "${name}": recovery secrets, each encrypted to its key: ${JSON.stringify(Object.fromEntries(encrypted))}`,
        );
        return;
      } catch (error) {
        if (error instanceof CoordinatorError) {
          this.log.error(`deployment "${name}": the manifest of start is refused: ${error.message}`);
          return;
        }
        this.log.warn(`deployment "${name}": the manifest of start waits: ${(error as Error).message}`);
        await sleep(RETRY_MS, undefined, { ref: false, signal: this.ending }).catch(() => undefined);
      }
    }
  }
}
