export { ConfigurationError, flag, list, milliseconds, port, readEnvironment } from './config/environment.js';
export {
  ConfigurationFileError,
  configuredBy,
  parseConfiguration,
  readConfigurationFile,
  readConfigurationText,
} from './config/configuration-file.js';
export {
  SERVICE_ENVIRONMENT,
  serviceEnvironment,
  type ServiceEnvironment,
} from './config/service-environment.js';
export { ConfigurationModule } from './config/module.js';
export { connectNats, NATS_CONNECTION } from './nats/connection.js';
export { NatsModule } from './nats/module.js';
export { isRevisionConflict } from './nats/revision-conflict.js';
export { NatsRequestError, NatsRequests, type RequestFailure } from './nats/requests.js';
export { NatsResponder, NO_ANSWER, RESPONDER_LIMITS, type ResponderLimits } from './nats/responder.js';
export { createPino, ServiceLogger } from './logging/logger.js';
export { METRICS, MetricsModule } from './metrics/metrics.js';
export { HealthModule, HealthRegistry, type Readiness, type ReadinessCheck } from './health/health.js';
export { boundServer, REQUEST_TIMEOUT_MS, startListening, stopListening } from './http/listening.js';
export { readBody } from './http/read-body.js';
export { createHttpApplication, type HttpOptions } from './http/application.js';
export { asHttpError, ProblemFilter, sendProblem } from './http/problem-filter.js';
export { RefusalAllowance } from './http/refusal-allowance.js';
export { schemaPipe } from './http/schema-pipe.js';
export { jsonSchemaOf, serveOpenApi } from './http/openapi.js';
export * from './grpc/index.js';
export { runService } from './lifecycle/run.js';
export { readTrustFile, TRUST, type Trust } from './trust/trust.js';
