import { z } from 'zod';

/** Longest PEM of a certificate request that an enclave may send: a quote, a chain and what stands around them. */
export const MAX_CSR_CHARACTERS = 68 * 1024;

/** `POST /v1/certificate/issue` of the node agent, and what it passes on to key-release (em-node-agent-client: IssueCertificateRequest). */
export const FortanixIssueRequest = z.strictObject({ csr: z.string().min(1).max(MAX_CSR_CHARACTERS) });
export type FortanixIssueRequest = z.infer<typeof FortanixIssueRequest>;

export const FORTANIX_TASK_STATUSES = ['SUCCESS', 'DENIED', 'PENDING_WHITELIST', 'FAILED'] as const;

/** Answer of key-release to a node agent; an outage is none, but a problem with 503. */
export const FortanixIssueResponse = z.object({
  task_id: z.uuid(),
  task_status: z.enum(FORTANIX_TASK_STATUSES),
  /** Leaf and intermediate, PEM; with SUCCESS. */
  certificate: z
    .string()
    .max(64 * 1024)
    .optional(),
  /** Why there is none, for the agent's log. */
  code: z.string().max(64).optional(),
});
export type FortanixIssueResponse = z.infer<typeof FortanixIssueResponse>;
