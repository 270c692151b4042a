import { SUBJECTS } from '#contracts';
import type { NatsRequests } from '#platform';
import { type AuditDeployment, TestEmitter } from '../../test/audit-deployment.js';
import { MEASUREMENTS, WORKLOADS } from './generated-log.js';

/** Latencies in milliseconds of what was asked one after the other or in flight together. */
export interface Sample {
  latencies: number[];
  seconds: number;
}

/** Appends `count` events that were signed beforehand, `inFlight` at a time, each awaited until its promise. */
export async function appendLoad(
  requests: NatsRequests,
  deployment: AuditDeployment,
  count: number,
  inFlight: number,
): Promise<Sample> {
  const emitter = new TestEmitter(deployment.emitterKey);
  const entries = Array.from(
    { length: count },
    (_, i) => emitter.event({ workload: WORKLOADS[i % WORKLOADS.length]! }).entry,
  );
  const latencies: number[] = [];
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let i = next++; i < count; i = next++) {
        const sent = performance.now();
        await requests.request(SUBJECTS.auditAppend, entries[i]!, 10_000);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  return { latencies, seconds: (performance.now() - started) / 1_000 };
}

/** The questions that operators ask, each with values that vary. */
const QUESTIONS: ((i: number) => string)[] = [
  () => 'limit=50',
  (i) => `workload=${WORKLOADS[i % WORKLOADS.length]}&limit=50`,
  (i) => `workload=${WORKLOADS[i % WORKLOADS.length]}&outcome=denied&limit=50`,
  (i) => `mrenclave=${MEASUREMENTS[i % MEASUREMENTS.length]}&limit=50`,
  (i) => `mrenclave=${MEASUREMENTS[i % MEASUREMENTS.length]}&outcome=denied&limit=50`,
  () => 'outcome=denied&limit=50',
  () => 'reason=BINDING_MISMATCH&limit=50',
  (i) => `reason=BINDING_MISMATCH&workload=${WORKLOADS[i % WORKLOADS.length]}&limit=50`,
  () => 'type=attestation.denied&tcbStatus=SWHardeningNeeded&limit=50',
  () => `from=${new Date(Date.now() - 60_000).toISOString()}&outcome=denied&limit=50`,
];

/** Filtered searches over HTTP, one after the other. */
export async function queryLoad(
  deployment: AuditDeployment,
  count: number,
): Promise<Record<string, number[]>> {
  const latencies: Record<string, number[]> = {};
  for (let i = 0; i < count; i++) {
    const query = QUESTIONS[i % QUESTIONS.length]!(i);
    const sent = performance.now();
    await deployment.json(`/v1/events?${query}`);
    const name = query.replaceAll(/=[^&]*/g, '').replace('&limit', '');
    (latencies[name] ??= []).push(performance.now() - sent);
  }
  return latencies;
}

/** Inclusion proofs of entries all over the log. */
export async function proofLoad(deployment: AuditDeployment, size: number, count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const sent = performance.now();
    const index = (i * 7_919) % size;
    await (await deployment.get(`/v1/log/proof/inclusion?index=${index}&format=tlog-proof`)).text();
    latencies.push(performance.now() - sent);
  }
  return latencies;
}
