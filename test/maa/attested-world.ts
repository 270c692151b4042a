// The deployment that all cases of test/maa.spec.ts share, and what they say of evidence, tokens and events.
import { hash } from 'node:crypto';
import { expect } from '@jest/globals';
import type { AuditEvent } from '#contracts';
import type { QuoteRequest } from '#simulator';
import { type EventTail, identityOf, SIGNER } from '../harness/index.js';
import { MaaFront, SIGNER_POLICY } from './front.js';

export const HELD = Buffer.from('{"keys":[]} and more than JSON');
/** Set by {@link startWorld}. */
export let front: MaaFront;
export let tail: EventTail;

export async function startWorld(): Promise<void> {
  front = await MaaFront.start(
    { tcb: { minEvaluationDataNumber: 1, refuseAdvisories: ['INTEL-SA-00999'] }, tokenSeconds: 300 },
    { OpenEnclave: SIGNER_POLICY(SIGNER) },
  );
  const { machines, log } = front.siegel;
  const platform = machines.sgx.platform({ name: 'demo' });
  machines.addBundle('tdx', machines.sgx.collateral({ platform, tee: 'tdx' }));
  tail = await log.tail();
}

export async function stopWorld(): Promise<void> {
  await front?.stop();
}

export const reportData = (data: Uint8Array): Buffer =>
  Buffer.concat([hash('sha256', data, 'buffer'), Buffer.alloc(32)]);
export const quote = (request: QuoteRequest = {}, machine: object = {}): Buffer =>
  front.siegel.machines.sgx
    .platform({ name: 'demo', ...machine })
    .quote({ ...identityOf('maa'), reportData: reportData(HELD), ...request } as QuoteRequest);
export const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
export const held = { data: b64u(HELD), dataType: 'Binary' };
type Of<T extends AuditEvent['type']> = Extract<AuditEvent, { type: T }>;
/** The one event since the last look. */
export async function onlyEvent<T extends AuditEvent['type']>(type: T): Promise<Of<T>> {
  const events = await tail.next();
  expect(events.map((event) => event.type)).toEqual([type]);
  return events[0] as Of<T>;
}
type Claims = Record<string, unknown> & { iat: number; exp: number };
export function parts(token: string) {
  const [head = '', body = '', signature = ''] = token.split('.');
  const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Claims;
  return { header: json(head), claims: json(body), input: `${head}.${body}`, signature };
}
export const tokenOf = (answer: { status: number; text: string; body: unknown }): string => {
  expect(answer.status === 200 ? 200 : answer.text).toBe(200);
  return (answer.body as { token: string }).token;
};
export const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');
