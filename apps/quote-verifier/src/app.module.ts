import type { TrustAnchor } from '#dcap';
import type { LocalSigner } from '#pki';
import {
  ConfigurationModule,
  HealthModule,
  HealthRegistry,
  METRICS,
  MetricsModule,
  NatsModule,
  NatsRequests,
  TRUST,
  type Trust,
} from '#platform';
import {
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { Registry } from 'prom-client';
import { CollateralController } from './collateral/collateral.controller.js';
import { CollateralMetrics } from './collateral/collateral-metrics.js';
import { COLLATERAL_OPENER } from './collateral/collateral-opener.js';
import { CollateralService } from './collateral/collateral.service.js';
import { COLLATERAL_SETTINGS, collateralSettings } from './collateral/collateral-settings.js';
import { openSources } from './collateral/source-list.js';
import type { VerifierEnvironment } from './config/environment.js';
import { trustAnchors } from './config/trust-anchors.js';
import { openEngine } from './engine/engine-choice.js';
import type { VerificationEngine } from './engine/verification-engine.js';
import { MaaListener } from './maa/maa-listener.js';
import { EvidenceHandover } from './retention/evidence-handover.js';
import { JwksController } from './verdict/jwks.controller.js';
import { openVerdictKey, VERDICT_KEY } from './verdict/verdict-key.js';
import { VerdictMetrics } from './verdict/verdict-metrics.js';
import { VerifyController } from './verdict/verify.controller.js';
import { VERIFICATION_ENGINE, VerifyService } from './verdict/verify.service.js';

const ANCHORS = Symbol('ANCHORS');
const CLOCK = Symbol('CLOCK');

/** The quote-verifier: evidence over NATS, collateral over HTTP. */
@Module({})
export class AppModule implements OnModuleInit, OnApplicationShutdown {
  static of(environment: VerifierEnvironment): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.of(environment),
        NatsModule.forService('quote-verifier'),
        HealthModule,
        MetricsModule,
      ],
      controllers: [VerifyController, CollateralController, JwksController],
      providers: [
        { provide: CLOCK, useValue: () => new Date() },
        { provide: ANCHORS, useFactory: () => trustAnchors(environment.SIEGEL_SIMULATED_ROOT_FILE) },
        {
          provide: VERDICT_KEY,
          useFactory: (trust: Trust) => openVerdictKey(environment.SIEGEL_VERDICT_KEY_FILE, trust),
          inject: [TRUST],
        },
        {
          provide: COLLATERAL_SETTINGS,
          useFactory: (trust: Trust, anchors: TrustAnchor[], signer: LocalSigner, clock: () => Date) =>
            collateralSettings(environment, {
              sources: openSources(environment, anchors, clock),
              anchors,
              signer,
              verifiers: trust.verifiers,
              clock,
            }),
          inject: [TRUST, ANCHORS, VERDICT_KEY, CLOCK],
        },
        {
          provide: VERIFICATION_ENGINE,
          useFactory: (anchors: TrustAnchor[], key: LocalSigner, clock: () => Date) =>
            openEngine(environment, anchors, key, clock),
          inject: [ANCHORS, VERDICT_KEY, CLOCK],
        },
        { provide: COLLATERAL_OPENER, useExisting: VERIFICATION_ENGINE },
        CollateralMetrics,
        CollateralService,
        VerdictMetrics,
        VerifyService,
        {
          provide: EvidenceHandover,
          useFactory: (requests: NatsRequests, collateral: CollateralService, registry: Registry) => {
            const log = new Logger('handover');
            return new EvidenceHandover({
              requests,
              bundle: (id) => collateral.bundle(id),
              which: environment.SIEGEL_RETAIN_EVIDENCE,
              registry,
              warn: (message) => log.warn(message),
            });
          },
          inject: [NatsRequests, CollateralService, METRICS],
        },
        {
          provide: MaaListener,
          useFactory: (
            trust: Trust,
            requests: NatsRequests,
            verifier: VerifyService,
            collateral: CollateralService,
            health: HealthRegistry,
            registry: Registry,
            clock: () => Date,
          ) =>
            new MaaListener({ environment, trust, requests, verifier, collateral, health, registry, clock }),
          inject: [TRUST, NatsRequests, VerifyService, CollateralService, HealthRegistry, METRICS, CLOCK],
        },
      ],
    };
  }

  constructor(
    @Inject(VERIFICATION_ENGINE) private readonly engine: VerificationEngine,
    private readonly collateral: CollateralService,
    private readonly health: HealthRegistry,
    private readonly requests: NatsRequests,
  ) {}

  onModuleInit(): void {
    this.collateral.onInstalled((key, collateral) => this.engine.adopt(key, collateral));
    this.health.register('nats', () => ({ ok: this.requests.isConnected }));
  }

  /** After the responder has drained: nothing is in work any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.engine.close();
  }
}
