import type { AuditEvent } from '#contracts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

/** What `npm start -- --once --json` prints; the names are stable. */
export interface DemoSummary {
  readonly ok: boolean;
  readonly attest?: { token: string; workload: string; tcbStatus: string; simulated: boolean };
  readonly release?: {
    env: string[];
    files: string[];
    certificate: { subject: string; dns: string[]; spiffeId: string | undefined; notAfter: string };
  };
  readonly denied?: { code: string };
  readonly events: { id: string; type: string; outcome: string }[];
  readonly checks: Check[];
}

export const eventLine = (event: AuditEvent) => ({ id: event.id, type: event.type, outcome: event.outcome });
