import { ConfigurationModule, HealthModule, MetricsModule, NatsModule } from '#platform';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { AccessModule } from './access/access.module.js';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from './audit-environment.js';
import { AuditLogModule } from './audit-log.module.js';
import { DelegationModule } from './delegation/delegation.module.js';
import { EvidenceModule } from './evidence/evidence.module.js';
import { AppendController } from './intake/append.controller.js';
import { AppendGate } from './intake/append-gate.js';
import { EventsController } from './query/events.controller.js';
import { ExportController } from './query/export.controller.js';
import { StoryController } from './query/story.controller.js';
import { StreamController } from './query/stream.controller.js';
import { SuccessionModule } from './succession/succession.module.js';
import { LogController } from './tree/log.controller.js';
import { PublishedLogs } from './tree/published-logs.js';
import { ReceiptController } from './tree/receipt.controller.js';

@Global()
@Module({})
class SettingsModule {
  static of(environment: AuditEnvironment): DynamicModule {
    return {
      module: SettingsModule,
      providers: [{ provide: AUDIT_ENVIRONMENT, useValue: environment }],
      exports: [AUDIT_ENVIRONMENT],
    };
  }
}

@Module({})
export class AppModule {
  static of(environment: AuditEnvironment): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.of(environment),
        SettingsModule.of(environment),
        HealthModule,
        MetricsModule,
        AccessModule,
        // The sequencer's own bound answers first, with the code that says what is full.
        NatsModule.forService('audit', { maxInFlight: environment.SIEGEL_AUDIT_QUEUE_EVENTS + 4_096 }),
        AuditLogModule,
        DelegationModule,
        EvidenceModule,
        SuccessionModule,
      ],
      // Fixed paths below /v1/events before the look-up by id.
      controllers: [
        AppendController,
        StreamController,
        ExportController,
        StoryController,
        EventsController,
        LogController,
        ReceiptController,
      ],
      providers: [AppendGate, PublishedLogs],
    };
  }
}
