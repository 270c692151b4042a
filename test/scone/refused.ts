import type { AuditEvent } from '#contracts';
import { expect } from '@jest/globals';
import type { Answered, SconeDeployment } from './deployment.js';

/** One refusal, and one event with its reason. */
export async function refused(
  cas: SconeDeployment,
  attempt: () => Promise<Answered>,
  status: number,
  code: string,
): Promise<AuditEvent> {
  await cas.events();
  const answer = await attempt();
  expect([answer.status, answer.type]).toEqual([status, 'application/json']);
  expect(answer.body).toEqual({ msg: expect.arrayContaining([expect.any(String)]) });
  const denied = (await cas.events()).filter(({ outcome }) => outcome === 'denied');
  expect(denied.map(({ reason }) => reason?.code)).toEqual([code]);
  return denied[0]!;
}
