import { request, type RequestOptions } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { readFileSync } from 'node:fs';
import type { Boot, SimulatedEnclave } from '../../apps/cli/src/demo/simulated-enclave.js';
import type { RunningSiegel } from './siegel.js';
import { eventually, PATIENCE_MS } from './waiting.js';

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** An enclave's live channel, read as a client of server-sent events reads it. */
export class SessionStream {
  readonly events: StreamEvent[] = [];
  comments = 0;
  ended = false;
  private rest = '';
  private taken = 0;

  private constructor(
    private readonly enclave: SimulatedEnclave,
    private readonly outgoing: ClientRequest,
    readonly status: number,
    readonly response: IncomingMessage,
  ) {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.read(text));
    response.on('close', () => (this.ended = true));
    response.on('error', () => (this.ended = true));
  }

  static async open(
    siegel: RunningSiegel,
    enclave: SimulatedEnclave,
    token: string,
    options: { lastId?: string; base?: string; headers?: Record<string, string> } = {},
  ): Promise<SessionStream> {
    const path = '/v1/session/stream';
    const headers =
      options.headers ?? (await enclave.authorization(`${siegel.endpoints.release}${path}`, token));
    const settings: RequestOptions = {
      ca: readFileSync(siegel.layout.caCertificate),
      headers: { ...headers, ...(options.lastId === undefined ? {} : { 'last-event-id': options.lastId }) },
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${options.base ?? siegel.endpoints.release}${path}`, settings, (response) =>
        resolve(new SessionStream(enclave, outgoing, response.statusCode ?? 0, response)),
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  /** The next event, whatever it is. */
  async next(what: string, patienceMs: number = PATIENCE_MS): Promise<StreamEvent> {
    const found = await eventually(what, () => this.events[this.taken], patienceMs);
    this.taken++;
    return found;
  }

  /** The next event, which must be a release; opened with the enclave's key. */
  async release(what: string): Promise<Boot & { id: string }> {
    const { event, id, data } = await this.next(what);
    if (event !== 'release')
      throw new Error(`${what}: "${event}" ${JSON.stringify(data)} came instead of a release`);
    const text = JSON.stringify(data);
    return { ...this.enclave.open({ status: 200, headers: {}, body: data, text }), id: id! };
  }

  get waiting(): number {
    return this.events.length - this.taken;
  }

  close(): void {
    this.outgoing.destroy();
  }

  private read(text: string): void {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map<string, string>();
      for (const line of block.split('\n')) {
        const at = line.indexOf(': ');
        if (line.startsWith(':')) this.comments++;
        else fields.set(line.slice(0, at), line.slice(at + 2));
      }
      const data = fields.get('data');
      if (data === undefined) continue;
      this.events.push({
        event: fields.get('event') ?? 'message',
        id: fields.get('id'),
        data: JSON.parse(data) as Record<string, unknown>,
      });
    }
  }
}
