import { type DynamicModule, Global, Module } from '@nestjs/common';
import { readTrustFile, TRUST } from '../trust/trust.js';
import { SERVICE_ENVIRONMENT, type ServiceEnvironment } from './service-environment.js';

/** The validated configuration and the trust file, for injection anywhere in the service. */
@Global()
@Module({})
export class ConfigurationModule {
  static of(environment: ServiceEnvironment): DynamicModule {
    return {
      module: ConfigurationModule,
      providers: [
        { provide: SERVICE_ENVIRONMENT, useValue: environment },
        { provide: TRUST, useFactory: () => readTrustFile(environment.SIEGEL_TRUST_FILE) },
      ],
      exports: [SERVICE_ENVIRONMENT, TRUST],
    };
  }
}
