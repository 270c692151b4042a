import type { AuditEvent, ManifestView } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpsJson } from './https-json.js';

/** The few administrative calls that the demo makes, as any operator could. */
export class AdminClient {
  constructor(
    private readonly service: HttpsJson,
    private readonly token: string,
    private readonly audit: { readonly url: string; readonly token: string },
  ) {}

  async putSecret(tenant: string, vault: string, name: string, value: string): Promise<void> {
    await this.must('PUT', `/v1/tenants/${tenant}/vaults/${vault}/secrets/${name}`, 'application/json', {
      body: JSON.stringify({ value: Buffer.from(value).toString('base64') }),
    });
  }

  async secretNames(tenant: string, vault: string): Promise<string[]> {
    const body = await this.must('GET', `/v1/tenants/${tenant}/vaults/${vault}/secrets`);
    return (body as { secrets: { name: string }[] }).secrets.map(({ name }) => name);
  }

  async manifest(tenant: string): Promise<ManifestView | undefined> {
    const { status, body } = await this.service.call('GET', `/v1/tenants/${tenant}/manifest`, {
      headers: this.headers(),
    });
    return status === 200 ? (body as ManifestView) : undefined;
  }

  async setManifest(tenant: string, text: string, version: number): Promise<void> {
    await this.must('PUT', `/v1/tenants/${tenant}/manifest`, 'application/yaml', {
      body: text,
      headers: version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` },
    });
  }

  /** The newest events of a session or of the whole log, as the audit service has indexed them; waits until `enough` says so. */
  async events(
    query: Record<string, string>,
    enough: (events: AuditEvent[]) => boolean,
  ): Promise<AuditEvent[]> {
    const until = Date.now() + 10_000;
    for (;;) {
      const response = await fetch(`${this.audit.url}/v1/events?${new URLSearchParams(query).toString()}`, {
        headers: { authorization: `Bearer ${this.audit.token}` },
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok)
        throw new Error(
          `the audit API answered ${response.status}: ${(await response.text()).slice(0, 300)}`,
        );
      const { events } = (await response.json()) as { events: { event: AuditEvent }[] };
      const found = events.map(({ event }) => event);
      if (enough(found) || Date.now() > until) return found;
      await sleep(50);
    }
  }

  private async must(
    method: string,
    path: string,
    type?: string,
    options: { body?: string; headers?: Record<string, string> } = {},
  ) {
    const { body, headers = {} } = options;
    const answer = await this.service.call(method, path, {
      headers: { ...this.headers(), ...(type === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status >= 300)
      throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text.slice(0, 500)}`);
    return answer.body;
  }

  private headers(): Record<string, string> {
    return { authorization: `Bearer ${this.token}` };
  }
}
