export { FakeAzure, DEFAULT_PRINCIPAL, DEFAULT_TENANT, type FakeAzureOptions } from './fake-azure.js';
export type { FakePrincipal } from './entra.js';
export type { FaultEffect, FaultRule } from './faults.js';
export { LIMITS_PER_10S, ServiceLimits } from './service-limits.js';
export type { LoggedRequest } from './request-log.js';
export { ClientFiles, type AzureVaultSettings } from './client-files.js';
export { SdkClients, outcomeOf } from './sdk-clients.js';
