import { AUDIT_ERRORS } from './areas/audit-errors.js';
import { EVIDENCE_ERRORS } from './areas/evidence-errors.js';
import { HOOK_ERRORS } from './areas/hook-errors.js';
import { NODE_AGENT_ERRORS } from './areas/node-agent-errors.js';
import { RELEASE_ERRORS } from './areas/release-errors.js';
import { REQUEST_ERRORS } from './areas/request-errors.js';
import { SERVICE_ERRORS } from './areas/service-errors.js';
import { SESSION_ERRORS } from './areas/session-errors.js';
import { VAULT_ERRORS } from './areas/vault-errors.js';

export type { CatalogueEntry } from './catalogue-entry.js';

/**
 * The one catalogue of errors that cross a service boundary. Each entry says what a caller sees (`http`, `grpc`
 * status), whether a retry can help, what happened and what to do. `docs/errors.md` is generated from it. A code stands in one area.
 */
export const ERROR_CATALOGUE = {
  ...REQUEST_ERRORS,
  ...EVIDENCE_ERRORS,
  ...RELEASE_ERRORS,
  ...VAULT_ERRORS,
  ...SESSION_ERRORS,
  ...HOOK_ERRORS,
  ...AUDIT_ERRORS,
  ...NODE_AGENT_ERRORS,
  ...SERVICE_ERRORS,
} as const;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, value);
