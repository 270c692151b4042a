import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { boundServer, startListening, stopListening } from './listening.js';
import { readBody } from './read-body.js';

const HOST = '127.0.0.1';
const post = (port: number, headers: Record<string, string> = {}) =>
  request({ host: HOST, port, method: 'POST', agent: false, headers });

describe('a server beside Nest', () => {
  it('listens where it can, and says where not', async () => {
    const server = createServer();
    boundServer(server, 7);
    expect(server.maxConnections).toBe(7);
    const port = await startListening(server, 0, HOST);
    const second = createServer();
    await expect(startListening(second, port, HOST)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await stopListening(second);
    await stopListening(server);
    expect(server.listening).toBe(false);
  });

  it('gives the answers under way before it is gone, and lets nobody else in', async () => {
    const waiting: ServerResponse[] = [];
    const server: Server = createServer((_request, response) => void waiting.push(response));
    const port = await startListening(server, 0, HOST);
    const asked = post(port);
    asked.end();
    while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const gone = stopListening(server);
    const refused = connect(port, HOST);
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    waiting[0]!.end('done');
    const [answer] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
    answer.resume();
    expect(answer.statusCode).toBe(200);
    await gone;
  });
});

describe('the body of a request', () => {
  async function read(send: (port: number) => void): Promise<unknown> {
    const server = createServer();
    const port = await startListening(server, 0, HOST);
    try {
      const arrived = once(server, 'request');
      send(port);
      const [message] = (await arrived) as [Parameters<typeof readBody>[0]];
      return await readBody(message, 8).catch((error: unknown) => error);
    } finally {
      server.closeAllConnections();
      await stopListening(server);
    }
  }
  const sending =
    (chunks: string[], headers?: Record<string, string>, then: 'end' | 'destroy' = 'end') =>
    (port: number): void => {
      const asked = post(port, headers).on('error', () => undefined);
      asked.flushHeaders();
      for (const chunk of chunks) asked.write(chunk);
      if (then === 'end') asked.end();
      else setTimeout(() => asked.destroy(), 50);
    };

  it('is read whole, up to its bound', async () => {
    expect(await read(sending(['1234', '5678']))).toEqual(Buffer.from('12345678'));
    expect(await read(sending([]))).toEqual(Buffer.alloc(0));
  });

  it.each([
    ['says that it is larger', sending([], { 'content-length': '9' }, 'destroy')],
    ['is larger without saying so', sending(['12345', '6789'])],
  ])('is refused where it %s', async (_what, send) => {
    expect(await read(send)).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
  });

  it('fails where the peer breaks off', async () => {
    expect(await read(sending(['1'], { 'content-length': '5' }, 'destroy'))).toMatchObject({
      code: 'ECONNRESET',
    });
  });
});
