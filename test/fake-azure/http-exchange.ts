import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WireResponse } from './wire.js';

const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** The whole body of a request. @throws Error when it is larger than a vault takes */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function send(
  response: ServerResponse,
  answer: WireResponse,
  headers: Record<string, string> = {},
): void {
  const body = answer.body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(answer.body));
  response.writeHead(answer.status, {
    ...headers,
    ...(answer.status === 204
      ? {}
      : { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length }),
    'cache-control': 'no-cache',
    ...answer.headers,
  });
  response.end(body);
}

/** Sends the head and half of the body, then breaks the connection. */
export function sendHalf(response: ServerResponse): void {
  const body = JSON.stringify({ value: 'half of an answer that never ends', id: 'x'.repeat(200) });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.write(body.slice(0, 50), () => response.destroy());
}

/** What an intercepting proxy says instead of the vault. */
export function sendHtml(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<html><body>Please sign in to the network.</body></html>');
}

/** A TCP reset: the client sees ECONNRESET. */
export const reset = (request: IncomingMessage): void => {
  request.socket.resetAndDestroy?.();
  request.socket.destroy();
};
