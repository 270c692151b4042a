import { MAX_ADD_CHECKPOINT_BYTES } from '#transparency';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Witness } from './witness.js';

const TEXT = 'text/plain; charset=utf-8';
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 128;

export interface WitnessServerOptions {
  host: string;
  /** 0 is any free port. */
  port: number;
  /** One line per cosignature or refusal. */
  log: (line: string) => void;
}

/**
 * The HTTP interface of a witness: `POST /add-checkpoint` as C2SP tlog-witness has it, and for reading
 * `POST /add-succession` for the next key of a log, signed by the one before, `GET /checkpoint?origin=…` (what was cosigned last), `GET /key`, `GET /health/ready`. Plain HTTP with bounded bodies;
 * nothing in it is secret, and requests are authenticated by the log's signature.
 */
export class WitnessServer {
  private constructor(private readonly server: Server) {}

  static async listen(witness: Witness, options: WitnessServerOptions): Promise<WitnessServer> {
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 8_192 },
      (request, response) => {
        answer(witness, request, response, options.log).catch((error: unknown) => {
          options.log(`failed: ${(error as Error).message}`);
          if (!response.headersSent) send(response, 500, 'the witness failed\n');
          else response.destroy();
        });
      },
    );
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.host, () => resolve());
    });
    return new WitnessServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
    });
  }
}

async function answer(
  witness: Witness,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://witness');
  if (pathname === '/add-checkpoint') {
    if (request.method !== 'POST') return send(response, 405, 'use POST\n', { allow: 'POST' });
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, 'the request is too large\n', { connection: 'close' });
    const result = witness.addCheckpoint(body);
    if (result.status === 200) {
      log(`cosigned ${result.origin} ${result.size}`);
      return send(response, 200, result.cosignature);
    }
    log(`refused with ${result.status}: ${result.why}`);
    if (result.status === 409) {
      return send(response, 409, `${result.size}\n`, { 'content-type': 'text/x.tlog.size' });
    }
    return send(response, result.status, `${result.why}\n`);
  }
  if (pathname === '/add-succession') {
    if (request.method !== 'POST') return send(response, 405, 'use POST\n', { allow: 'POST' });
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, 'the request is too large\n', { connection: 'close' });
    const result = witness.addSuccession(body);
    log(
      result.status === 200
        ? `knows the next key of ${result.origin}`
        : `refused with ${result.status}: ${result.why}`,
    );
    return send(response, result.status, result.status === 200 ? 'ok\n' : `${result.why}\n`);
  }
  if (request.method !== 'GET') return send(response, 405, 'use GET\n', { allow: 'GET' });
  if (pathname === '/key') return send(response, 200, `${witness.verifierKey}\n`);
  if (pathname === '/health/ready' || pathname === '/health/live') return send(response, 200, 'ok\n');
  const note = pathname === '/checkpoint' ? witness.latest(searchParams.get('origin') ?? '') : undefined;
  return note === undefined ? send(response, 404, 'nothing is here\n') : send(response, 200, note);
}

/** The body as text, or undefined if it is longer than any request that a witness understands. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ADD_CHECKPOINT_BYTES) return undefined;
    chunks.push(chunk);
  }
  // What is not UTF-8 becomes replacement characters, whose signature then does not hold.
  return Buffer.concat(chunks).toString('utf8');
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': TEXT, 'cache-control': 'no-store', ...headers });
  response.end(text);
}
