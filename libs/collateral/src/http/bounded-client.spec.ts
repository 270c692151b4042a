import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BoundedClient, retryAfter } from './bounded-client.js';

const never = new AbortController().signal;

describe('BoundedClient against a real server', () => {
  const servers: Server[] = [];
  const clients: BoundedClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  });

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  function client(timeoutMs = 10_000): BoundedClient {
    const made = new BoundedClient('test', { timeoutMs });
    clients.push(made);
    return made;
  }

  it('gives body and headers, and sends the headers that it is told to', async () => {
    const url = await serve((request, response) => {
      response.setHeader('X-Echo', String(request.headers['metadata']));
      response.end(`${request.method} ${request.url}`);
    });
    const answer = await client().get(`${url}/a?b=c`, { metadata: 'true' }, never);
    expect(answer.body.toString()).toBe('GET /a?b=c');
    expect(answer.header('x-echo')).toBe('true');
    expect(answer.header('x-absent')).toBeUndefined();
  });

  it('follows a redirect within its host and none to another', async () => {
    let reached = 0;
    const elsewhere = await serve((_request, response) => {
      reached++;
      response.end('elsewhere');
    });
    const url = await serve((request, response) => {
      if (request.url === '/here') return void response.end('here');
      const to =
        request.url === '/inside' ? '/here' : request.url === '/loop' ? '/loop' : `${elsewhere}/there`;
      response.writeHead(302, { location: to }).end();
    });
    expect((await client().get(`${url}/inside`, {}, never)).body.toString()).toBe('here');
    await expect(client().get(`${url}/outside`, {}, never)).rejects.toMatchObject({ kind: 'redirected' });
    await expect(client().get(`${url}/loop`, {}, never)).rejects.toMatchObject({ kind: 'redirected' });
    expect(reached).toBe(0);
  });

  it('ends a body that trickles for ever at the limit of the whole exchange', async () => {
    const url = await serve((_request, response) => {
      const timer = setInterval(() => response.write('.'), 50);
      response.on('close', () => clearInterval(timer));
    });
    const started = performance.now();
    await expect(client(300).get(url, {}, never)).rejects.toMatchObject({ kind: 'timeout' });
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it('refuses more than two megabytes, announced or not', async () => {
    const url = await serve((request, response) => {
      const body = Buffer.alloc(2 * 1024 * 1024 + 1);
      if (request.url === '/announced') response.setHeader('content-length', body.length);
      response.end(body);
    });
    await expect(client().get(`${url}/announced`, {}, never)).rejects.toMatchObject({
      kind: 'too-large',
    });
    await expect(client().get(`${url}/chunked`, {}, never)).rejects.toMatchObject({ kind: 'too-large' });
  });

  it('gives up when it is told to', async () => {
    const url = await serve(() => undefined);
    const stop = new AbortController();
    const asked = client(5_000).get(url, {}, stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(asked).rejects.toMatchObject({ kind: 'timeout' });
  });

  it('says that nobody listens', async () => {
    const url = await serve(() => undefined);
    const [server] = servers.splice(0);
    await new Promise((closed) => server?.close(closed));
    await expect(client().get(url, {}, never)).rejects.toMatchObject({ kind: 'unreachable', source: 'test' });
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  it.each([
    ['7', 7],
    ['Mon, 23 Nov 2026 12:01:00 GMT', 60],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['999999', 3_600],
    ['soon', undefined],
    [undefined, undefined],
  ])('%s is %s seconds', (value, expected) => {
    expect(retryAfter(value, now)).toBe(expected);
  });
});
