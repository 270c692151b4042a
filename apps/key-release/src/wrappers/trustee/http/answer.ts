import type { ServerResponse } from 'node:http';
import type { KbsError } from '../protocol/kbs-error.js';

export interface Answer {
  readonly status: number;
  /** JSON text; absent for an empty body. */
  readonly json?: string;
  readonly cookie?: string;
}

export const EMPTY: Answer = { status: 200 };

export function send(response: ServerResponse, { status, json = '', cookie }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const length = Buffer.byteLength(json);
  response.writeHead(status, {
    ...(json === '' ? {} : { 'content-type': 'application/json' }),
    ...(cookie === undefined ? {} : { 'set-cookie': cookie }),
    'content-length': length,
  });
  // ASCII, which all but errors are, is written as it lies in memory.
  response.end(json, length === json.length ? 'latin1' : 'utf8');
}

/** Without a content type, as the real service answers. */
export function sendError(response: ServerResponse, { status, body }: KbsError): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-length': Buffer.byteLength(body),
    ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
    // What is left of a body that was not read must not be taken for the next request.
    ...(status === 413 ? { connection: 'close' } : {}),
  });
  response.end(body);
}
