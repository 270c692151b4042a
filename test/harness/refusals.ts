import { type AuditEvent, ERROR_CATALOGUE, type ErrorCode } from '#contracts';
import { expect } from '@jest/globals';
import type { JsonAnswer } from '../../apps/cli/src/demo/https-json.js';
import type { EventTail } from './event-tail.js';
import { type RunningSiegel, TENANT } from './siegel.js';

/** Texts that no answer may hold: stack frames and file names of the program. */
const INTERNALS = /^\s*at |node_modules|\.[tj]s:\d/m;

/** Checks that an answer is the catalogue's problem (RFC 9457) for a code and says nothing more than that. */
export function expectProblem(answer: JsonAnswer, code: ErrorCode, extensions: readonly string[] = []): void {
  const { title, remedy, retryable, http } = ERROR_CATALOGUE[code];
  const body = answer.body as Record<string, unknown>;
  expect({ status: answer.status, code: body?.['code'] }).toEqual({ status: http, code });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.headers['cache-control']).toBe('no-store');
  const optional = ['detail', ...extensions].filter((name) => name in body);
  expect(body).toEqual({
    type: `urn:siegel:error:${code}`,
    title,
    status: http,
    code,
    remedy,
    retryable,
    requestId: answer.headers['x-request-id'],
    ...Object.fromEntries(optional.map((name) => [name, expect.anything()])),
  });
  expect(answer.text).not.toMatch(INTERNALS);
  expect(answer.text).not.toMatch(/"(token|release|promise|session)"/);
}

/** Follows the denials of one deployment: each refusal must have its one event, which says to the operator why. */
export class Refusals {
  private constructor(
    private readonly tail: EventTail,
    private readonly secret: string,
  ) {}

  static async of(siegel: RunningSiegel, secret: string): Promise<Refusals> {
    return new Refusals(await siegel.log.tail({ type: 'attestation.denied' }), secret);
  }

  /** The caller learns `code` and no more; the log has one event with the reason for the operator. */
  async expectDenied(answer: JsonAnswer, code: ErrorCode, reason: unknown): Promise<AuditEvent> {
    const events = await this.tail.next();
    expect({
      status: answer.status,
      code: (answer.body as { code?: string } | undefined)?.code,
      reasons: events.map((event) => event.reason?.code),
    }).toEqual({ status: ERROR_CATALOGUE[code].http, code, reasons: [reason] });
    expectProblem(answer, code);
    expect(answer.text).not.toContain(this.secret);
    expect(answer.text.length).toBeLessThan(2_000);
    const [event] = events as [AuditEvent];
    expect(event).toMatchObject({ type: 'attestation.denied', outcome: 'denied', tenant: TENANT });
    expect(JSON.stringify(event)).not.toContain(this.secret);
    return event;
  }

  async expectNone(): Promise<void> {
    expect(await this.reasons()).toEqual([]);
  }

  /** Reasons of what was denied since the last look. */
  async reasons(): Promise<(string | undefined)[]> {
    return (await this.tail.next()).map(({ reason }) => reason?.code);
  }
}
