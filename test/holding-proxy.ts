import { type IncomingMessage, request, createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that was stopped on its way. */
export interface HeldRequest {
  method: string;
  path: string;
  /** Lets it go on, whether whoever sent it still waits or not; the server's status. */
  release(): Promise<number>;
}

interface Trap {
  matches: (method: string, path: string) => boolean;
  caught: (held: HeldRequest) => void;
}

/** A way to an HTTP server on which single requests can be stopped and let go on later, as they are in a network. */
export class HoldingProxy {
  /** What went through: method, path and the server's status. */
  readonly passed: { method: string; path: string; status: number }[] = [];
  #traps: Trap[] = [];

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  static async start(target: string): Promise<HoldingProxy> {
    const server = createServer((message, response) => void proxy.#take(message, response));
    const proxy = new HoldingProxy(server, new URL(target));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Stops the next request that matches; resolves once there is one. */
  hold(matches: Trap['matches']): Promise<HeldRequest> {
    return new Promise((caught) => this.#traps.push({ matches, caught }));
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  async #take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
    const [method, path] = [message.method!, message.url!];
    const trap = this.#traps.find(({ matches }) => matches(method, path));
    this.#traps = this.#traps.filter((each) => each !== trap);
    const goOn = () => this.#forward(message, Buffer.concat(chunks), response);
    if (!trap) {
      await goOn().catch(() => response.destroy());
      return;
    }
    trap.caught({ method, path, release: goOn });
  }

  #forward(message: IncomingMessage, body: Buffer, response: ServerResponse): Promise<number> {
    const [method, path] = [message.method!, message.url!];
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.target;
      const forwarded = request({ hostname, port, method, path, headers: message.headers }, (answer) => {
        const status = answer.statusCode!;
        this.passed.push({ method, path, status });
        response.writeHead(status, answer.headers);
        answer.pipe(response);
        resolve(status);
      });
      forwarded.on('error', reject);
      forwarded.end(body);
    });
  }
}
