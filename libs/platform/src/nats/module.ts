import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { SERVICE_ENVIRONMENT, type ServiceEnvironment } from '../config/service-environment.js';
import { connectNats, NATS_CONNECTION } from './connection.js';
import { NatsRequests } from './requests.js';
import { NatsResponder, RESPONDER_LIMITS, type ResponderLimits } from './responder.js';

/** The service's one NATS connection, with requests out and requests in. Needs SERVICE_ENVIRONMENT. */
@Global()
@Module({})
export class NatsModule implements OnApplicationShutdown {
  static forService(name: string, limits: ResponderLimits = { maxInFlight: 4_096 }): DynamicModule {
    return {
      module: NatsModule,
      providers: [
        {
          provide: NATS_CONNECTION,
          useFactory: (environment: ServiceEnvironment) => connectNats(environment, name),
          inject: [SERVICE_ENVIRONMENT],
        },
        { provide: RESPONDER_LIMITS, useValue: limits },
        NatsRequests,
        NatsResponder,
      ],
      exports: [NATS_CONNECTION, NatsRequests, NatsResponder],
    };
  }

  constructor(@Inject(NATS_CONNECTION) private readonly nats: NatsConnection) {}

  async onApplicationShutdown(): Promise<void> {
    if (!this.nats.isClosed()) await this.nats.drain();
  }
}
