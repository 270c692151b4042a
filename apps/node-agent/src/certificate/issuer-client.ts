import { FortanixIssueResponse, SiegelError } from '#contracts';
import { ConfigurationError } from '#platform';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { AgentEnvironment } from '../agent-environment.js';

const MAX_RESPONSE_BYTES = 128 * 1024;

/** key-release over HTTPS: the one that decides. */
export class IssuerClient {
  private readonly agent: Agent;

  constructor(private readonly environment: AgentEnvironment) {
    const { SIEGEL_AGENT_ISSUER_CA_FILE: file, SIEGEL_AGENT_ISSUER_TIMEOUT_MS: timeout } = environment;
    this.agent = new Agent({
      connections: 32,
      bodyTimeout: timeout,
      headersTimeout: timeout,
      maxResponseSize: MAX_RESPONSE_BYTES,
      connect: { timeout, ...(file === undefined ? {} : { ca: authority(file) }) },
    });
  }

  /** A request that it cannot read has failed for good. @throws SiegelError ISSUER_UNAVAILABLE where nothing was decided */
  async issue(csr: string): Promise<FortanixIssueResponse> {
    const { status, text } = await this.call(
      'POST',
      '/v1/fortanix/certificate/issue',
      JSON.stringify({ csr }),
    );
    if (status >= 400 && status < 500 && status !== 429)
      return { task_id: randomUUID(), task_status: 'FAILED', code: problemCode(text) };
    if (status !== 200) throw unavailable(`HTTP_${status}`, `answered ${status}`);
    try {
      return FortanixIssueResponse.parse(JSON.parse(text));
    } catch (cause) {
      throw unavailable('ISSUER_ANSWER_MALFORMED', (cause as Error).message.slice(0, 300), cause);
    }
  }

  /** Whether it answers at all. */
  async reachable(): Promise<boolean> {
    try {
      return (await this.call('GET', '/health/live')).status === 200;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.agent.close();
  }

  private async call(method: 'GET' | 'POST', path: string, body?: string) {
    try {
      const answer = await request(`${this.environment.SIEGEL_AGENT_ISSUER_URL}${path}`, {
        method,
        dispatcher: this.agent,
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      throw unavailable(
        (cause as NodeJS.ErrnoException).code ?? 'ISSUER_NO_ANSWER',
        (cause as Error).message,
        cause,
      );
    }
  }
}

/** What was wrong with a request that could not be read. */
function problemCode(text: string): string {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === 'string' ? code.slice(0, 64) : 'UNKNOWN';
  } catch {
    return 'UNKNOWN';
  }
}

function authority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError([
      { variable: 'SIEGEL_AGENT_ISSUER_CA_FILE', message: `cannot be read: ${(error as Error).message}` },
    ]);
  }
}

const unavailable = (code: string, message: string, cause?: unknown): SiegelError =>
  new SiegelError('ISSUER_UNAVAILABLE', { reason: { code, message: message.slice(0, 300) }, cause });
