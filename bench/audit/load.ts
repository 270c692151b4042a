import { SUBJECTS } from '#contracts';
import type { NatsRequests } from '#platform';
import { type AuditDeployment, TestEmitter } from '../../test/audit-deployment.js';
import { WORKLOADS } from './generated-events.js';

/** Latencies in milliseconds of what was asked one after the other or in flight together. */
export interface Sample {
  latencies: number[];
  seconds: number;
}

const PATIENCE_MS = 10_000;

const signed = (deployment: AuditDeployment, count: number): Buffer[] => {
  const emitter = new TestEmitter(deployment.emitterKey);
  return Array.from(
    { length: count },
    (_, i) => emitter.event({ workload: WORKLOADS[i % WORKLOADS.length]! }).entry,
  );
};

/** Appends `count` events that were signed beforehand, `inFlight` at a time, each awaited until its promise. */
export async function appendLoad(
  requests: NatsRequests,
  deployment: AuditDeployment,
  count: number,
  inFlight: number,
): Promise<Sample> {
  const entries = signed(deployment, count);
  const latencies: number[] = [];
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let i = next++; i < count; i = next++) {
        const sent = performance.now();
        await requests.request(SUBJECTS.auditAppend, entries[i]!, PATIENCE_MS);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  return { latencies, seconds: (performance.now() - started) / 1_000 };
}

/** Appends `perSecond` events a second for a while, however fast they are answered: what an emitter waits below saturation. */
export async function pacedLoad(
  requests: NatsRequests,
  deployment: AuditDeployment,
  perSecond: number,
  seconds: number,
): Promise<Sample> {
  const entries = signed(deployment, perSecond * seconds);
  const latencies: number[] = [];
  const started = performance.now();
  const answers: Promise<void>[] = [];
  while (answers.length < entries.length) {
    const due = Math.min(((performance.now() - started) / 1_000) * perSecond, entries.length);
    while (answers.length < due) {
      const sent = performance.now();
      const answer = requests.request(SUBJECTS.auditAppend, entries[answers.length]!, PATIENCE_MS);
      answers.push(answer.then(() => void latencies.push(performance.now() - sent)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(answers);
  return { latencies, seconds: (performance.now() - started) / 1_000 };
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
