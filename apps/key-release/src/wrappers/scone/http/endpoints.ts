import { SiegelError } from '#contracts';
import { readBody } from '#platform';
import { scone } from '#policy';
import { Injectable, Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { readAttestRequest } from '../attest/attest-request.js';
import { AttestService } from '../attest/attest.service.js';
import { SconeError } from '../scone-error.js';
import type { SconeClient } from '../session/client.js';
import { Refusals } from '../session/refusals.js';
import { SessionService } from '../session/session.service.js';
import { type Target, targetOf } from './request-path.js';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const MAX_ATTEST_BYTES = 256 * 1_024;

/** The calls that clients of a CAS are known to make, and one of our own; every answer of theirs, and every refusal. */
@Injectable()
export class SconeEndpoints {
  private readonly log = new Logger('scone');

  constructor(
    private readonly sessions: SessionService,
    private readonly attestations: AttestService,
    private readonly refusals: Refusals,
    private readonly tenants: TenantResolver,
  ) {}

  /** Never throws. */
  async answer(request: IncomingMessage, client: SconeClient): Promise<{ target: string; answer: Answer }> {
    const target = targetOf(request.url ?? '');
    const kind = target?.kind ?? 'unknown';
    let tenant: string | undefined;
    try {
      tenant = this.tenants.resolve(request.headers.host);
      if (!target) throw new SconeError(404, 'SCONE_PATH_UNKNOWN', ['Not found']);
      return { target: kind, answer: await this.serve(tenant, target, request, client) };
    } catch (thrown) {
      return { target: kind, answer: await this.refuse(tenant, kind, thrown, client) };
    }
  }

  private async serve(
    tenant: string,
    target: Target,
    request: IncomingMessage,
    client: SconeClient,
  ): Promise<Answer> {
    const wanted = target.kind === 'set' || target.kind === 'attest' ? 'POST' : 'GET';
    if (request.method !== wanted)
      throw new SconeError(405, 'SCONE_METHOD_UNKNOWN', [`${wanted} is meant here`]);
    switch (target.kind) {
      case 'health':
        return json(200, {});
      case 'set': {
        // Whatever content type it comes with: clients send four different ones.
        const body = await readBody(request, scone.SCONE_SESSION_LIMITS.bytes);
        return json(201, await this.sessions.set(tenant, textOf(body), client));
      }
      case 'text': {
        const { session } = await this.sessions.text(tenant, target.session, undefined, client);
        return { status: 200, type: 'text/plain; charset=utf-8', body: session };
      }
      case 'session':
        return json(200, await this.sessions.text(tenant, target.session, target.hash, client));
      case 'values': {
        const { session, secret } = target;
        const values = await this.sessions.values(tenant, session, secret, client);
        return json(200, secret === undefined ? { values } : values[secret]!);
      }
      case 'attest': {
        const body = readAttestRequest(await readBody(request, MAX_ATTEST_BYTES));
        return json(200, await this.attestations.attest(tenant, body, client));
      }
    }
  }

  private async refuse(
    tenant: string | undefined,
    operation: string,
    thrown: unknown,
    client: SconeClient,
  ): Promise<Answer> {
    const error = SconeError.of(thrown);
    if (error.status >= 500) this.log.error({ msg: 'request failed', err: thrown });
    // A refused attestation has its own event, but for requests that never came that far.
    const logged = operation === 'attest' && thrown instanceof SiegelError && !isEarly(thrown);
    if (tenant !== undefined && error.status < 500 && error.status !== 429 && !logged) {
      try {
        await this.refusals.record(tenant, operation, error, client);
      } catch (failure) {
        return errorAnswer(SconeError.of(failure));
      }
    }
    return errorAnswer(error);
  }
}

/** Refusals before anything was judged: a body that is too large, a missing certificate. */
const isEarly = ({ code }: SiegelError): boolean =>
  code === 'REQUEST_TOO_LARGE' || code === 'CLIENT_CERTIFICATE_INVALID';

const json = (status: number, value: object): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});

const errorAnswer = ({ status, messages }: SconeError): Answer => json(status, { msg: messages });

function textOf(body: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    if (!text.includes('\0')) return text;
  } catch {
    // Said below.
  }
  throw SconeError.invalid(['session: is no text']);
}
