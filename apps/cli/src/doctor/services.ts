import { z } from 'zod';
import { SERVICE_NAMES, type Deployment } from '../deployment/deployment.js';
import type { Service } from '../deployment/options.js';
import type { Check, CheckResult } from './check.js';

const Readiness = z.looseObject({
  ok: z.boolean(),
  checks: z.record(z.string(), z.looseObject({ ok: z.boolean(), detail: z.string().optional() })),
});

/** Tokens, verdicts and challenges live for seconds to minutes: clocks that differ more than this break them. */
const SKEW_FAILS_SECONDS = 30;
const SKEW_WARNS_SECONDS = 5;

/** Two checks for a service: it is ready, and its clock agrees with ours. */
export function serviceChecks(deployment: Deployment, service: Service): Check[] {
  const name = SERVICE_NAMES[service];
  return [
    { name, run: () => readiness(deployment, service) },
    { name: `clock of ${name}`, run: () => clockSkew(deployment, service) },
  ];
}

async function readiness(deployment: Deployment, service: Service): Promise<Omit<CheckResult, 'name'>> {
  const client = await deployment.client(service, { anonymous: true });
  try {
    const { status, body } = await client.exchange('/health/ready');
    const state = Readiness.safeParse(body);
    if (!state.success) {
      return {
        ok: false,
        detail: `${client.baseUrl} answers with HTTP status ${status}, but not as a Siegel service`,
        code: 'SERVICE_ANSWER_INVALID',
        remedy: 'Check the address: another program may listen on this port.',
      };
    }
    if (state.data.ok) return { ok: true, detail: `ready at ${client.baseUrl}` };
    const failed = Object.entries(state.data.checks).filter(([, { ok }]) => !ok);
    return {
      ok: false,
      detail: `runs, but is not ready: ${failed.map(([name, { detail }]) => `${name} (${detail ?? 'failed'})`).join(', ')}`,
      code: 'NOT_READY',
      remedy: `Look at what it waits for; its log says more.`,
    };
  } finally {
    await client.close();
  }
}

async function clockSkew(deployment: Deployment, service: Service): Promise<Omit<CheckResult, 'name'>> {
  const client = await deployment.client(service, { anonymous: true });
  try {
    const sent = Date.now();
    const { headers } = await client.exchange('/health/live');
    const here = (sent + Date.now()) / 2;
    const there = Date.parse(String(headers['date'] ?? ''));
    if (Number.isNaN(there)) return { ok: true, detail: 'unknown: the service sends no date' };
    // The header has whole seconds, rounded down.
    const skew = (there + 500 - here) / 1_000;
    const size = Math.abs(skew);
    if (size <= SKEW_WARNS_SECONDS) return { ok: true, detail: 'agrees with this machine' };
    const detail = `${Math.round(size)} seconds ${skew > 0 ? 'ahead of' : 'behind'} this machine`;
    const remedy = 'Synchronise the clocks (NTP) on both machines.';
    return size > SKEW_FAILS_SECONDS
      ? { ok: false, detail, code: 'CLOCK_SKEW', remedy }
      : { ok: true, detail, remedy };
  } finally {
    await client.close();
  }
}
