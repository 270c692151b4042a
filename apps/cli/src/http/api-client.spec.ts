import { problemOf, SiegelError } from '#contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiClient, MAX_ANSWER_BYTES } from './api-client.js';

describe('ApiClient', () => {
  const open: { server?: Server; client?: ApiClient } = {};

  afterEach(async () => {
    await open.client?.close();
    open.server?.closeAllConnections();
    await new Promise((done) => (open.server ? open.server.close(done) : done(undefined)));
  });

  async function serve(listener: RequestListener, timeoutMs = 2_000): Promise<ApiClient> {
    const server = createServer(listener);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    open.server = server;
    open.client = new ApiClient({
      service: 'audit',
      baseUrl: `http://127.0.0.1:${port}/`,
      timeoutMs,
      token: 't0k3n',
    });
    return open.client;
  }

  it('sends the token and reads the answer', async () => {
    const client = await serve((request, response) => {
      response.setHeader('content-type', 'application/json; charset=utf-8');
      response.end(JSON.stringify({ path: request.url, authorization: request.headers.authorization }));
    });
    const { body } = await client.json('/v1/events?limit=1');
    expect(body).toEqual({ path: '/v1/events?limit=1', authorization: 'Bearer t0k3n' });
  });

  it('throws what the service answers: code, sentence, remedy', async () => {
    const client = await serve((_request, response) => {
      const problem = problemOf(new SiegelError('CURSOR_INVALID', { detail: 'of another query.' }), 'r-1');
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(problem));
    });
    await expect(client.json('/')).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
      message: 'The cursor is not one of ours. of another query.',
      remedy: 'Start the query again without a cursor.',
      exit: 1,
      extra: { status: 400, requestId: 'r-1' },
    });
  });

  it.each<[string, RequestListener]>([
    ['a page', (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>')],
    [
      'broken JSON',
      (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
    ],
    [
      'an error without an explanation',
      (_request, response) => response.writeHead(502, { 'content-type': 'application/json' }).end('{}'),
    ],
    [
      'more than it reads',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(Buffer.alloc(MAX_ANSWER_BYTES + 1, 0x20));
      },
    ],
  ])('refuses %s', async (_name, listener) => {
    const client = await serve(listener);
    await expect(client.json('/')).rejects.toMatchObject({ code: 'SERVICE_ANSWER_INVALID', exit: 1 });
  });

  it('gives up at the deadline, before the head and within the body', async () => {
    const silent = await serve(() => undefined, 200);
    await expect(silent.json('/')).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT' });
    await silent.close();
    open.server?.removeAllListeners('request');
    open.server?.on('request', (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{');
    });
    open.client = new ApiClient({ service: 'audit', baseUrl: silent.baseUrl, timeoutMs: 200 });
    await expect(open.client.json('/')).rejects.toMatchObject({ code: 'SERVICE_TIMEOUT' });
  });

  it('says that nothing listens', async () => {
    const client = await serve(() => undefined);
    open.server?.closeAllConnections();
    await new Promise((done) => open.server?.close(done));
    await expect(client.json('/')).rejects.toMatchObject({
      code: 'SERVICE_UNREACHABLE',
      message: expect.stringMatching(/^audit at http:.* cannot be reached: nothing listens there\.$/),
    });
  });

  it('says that the other side speaks no TLS', async () => {
    const client = await serve((_request, response) => response.end());
    open.client = new ApiClient({
      service: 'key-release',
      baseUrl: client.baseUrl.replace('http:', 'https:'),
      timeoutMs: 2_000,
    });
    await client.close();
    await expect(open.client.json('/')).rejects.toMatchObject({ code: 'SERVICE_TLS_UNTRUSTED' });
  });
});
