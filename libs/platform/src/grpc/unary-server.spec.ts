import { SiegelError } from '#contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { frameOf, GrpcError, timeoutMs, UnaryGrpcServer, type UnaryServerOptions } from './index.js';

const OPTIONS: UnaryServerOptions = {
  methods: {
    '/t.Test/Echo': ({ request }) => Promise.resolve(request),
    '/t.Test/Own': () => Promise.reject(new GrpcError(1, 'nichts für dich: 100 %')),
    '/t.Test/Catalogue': () => Promise.reject(new SiegelError('RELEASE_DENIED', { detail: 'secret detail' })),
    '/t.Test/Broken': () => Promise.reject(new Error('/etc/passwd is not readable')),
    '/t.Test/Never': ({ signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('given up'))),
      ),
  },
  maxMessageBytes: 1_024,
  callTimeoutMs: 2_000,
  idleTimeoutMs: 500,
  maxConnections: 16,
  maxInFlight: 2,
};

describe('a unary gRPC server', () => {
  const open: { close(): unknown }[] = [];
  const started = async (change: Partial<UnaryServerOptions> = {}): Promise<number> => {
    const server = new UnaryGrpcServer({ ...OPTIONS, ...change });
    open.unshift(server);
    return server.listen(0, '127.0.0.1');
  };
  const session = (port: number): ClientHttp2Session => {
    const made = connect(`http://127.0.0.1:${port}`);
    made.on('error', () => undefined);
    open.unshift({ close: () => made.destroy() });
    return made;
  };
  const client = (port: number): Client => {
    const made = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    open.unshift(made);
    return made;
  };
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (to: Client, path: string, request: Buffer, deadline = 5_000): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      to.makeUnaryRequest(path, same, same, request, { deadline: Date.now() + deadline }, (error, reply) =>
        error ? reject(error) : resolve(reply!),
      );
    });
  const raw = async (
    over: ClientHttp2Session,
    headers: OutgoingHttpHeaders,
    body?: Buffer,
  ): Promise<Record<string, unknown>> => {
    const stream = over.request(
      { ':method': 'POST', ':path': '/t.Test/Echo', 'content-type': 'application/grpc', ...headers },
      { endStream: body === undefined },
    );
    stream.on('error', () => undefined);
    if (body) stream.end(body);
    const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
    stream.resume();
    return answer;
  };
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  it('answers an independent client, one message after the other on one connection', async () => {
    const to = client(await started());
    for (const text of ['', 'a', 'x'.repeat(1_024)])
      expect((await call(to, '/t.Test/Echo', Buffer.from(text))).toString()).toBe(text);
  });

  it.each([
    ['/t.Test/Own', status.CANCELLED, 'nichts für dich: 100 %'],
    ['/t.Test/Catalogue', status.PERMISSION_DENIED, 'RELEASE_DENIED: The release was denied.'],
    ['/t.Test/Broken', status.INTERNAL, 'INTERNAL: Something failed that should not.'],
    ['/t.Test/Other', status.UNIMPLEMENTED, 'no such method'],
    ['/t.Test/toString', status.UNIMPLEMENTED, 'no such method'],
    ['/t.Test/Never', status.DEADLINE_EXCEEDED, expect.anything()],
  ])('%s: status %i and no more', async (path, code, details) => {
    const to = client(await started({ callTimeoutMs: 300 }));
    const error = await call(to, path, Buffer.alloc(0)).catch((failure: ServiceError) => failure);
    expect(error).toMatchObject({ code, details });
  });

  it("keeps to the caller's deadline", async () => {
    const over = session(await started());
    const begun = Date.now();
    const answer = await raw(
      over,
      { ':path': '/t.Test/Never', 'grpc-timeout': '100m' },
      frameOf(Buffer.alloc(0)),
    );
    expect(answer['grpc-status']).toBe('4');
    expect(Date.now() - begun).toBeLessThan(1_500);
    expect([
      timeoutMs('3S'),
      timeoutMs('1H'),
      timeoutMs('123456789m'),
      timeoutMs('3'),
      timeoutMs('-1S'),
    ]).toEqual([3_000, 3_600_000, undefined, undefined, undefined]);
  });

  it.each([
    ['a message beyond the limit', frameOf(Buffer.alloc(1_025)), '8'],
    ['a prefix alone', Buffer.of(0, 0, 0), '3'],
    ['a length beyond the data', Buffer.of(0, 0, 0, 0, 9, 1), '3'],
    ['more than one message', Buffer.concat([frameOf(Buffer.of(1)), frameOf(Buffer.of(2))]), '3'],
    ['a compressed message', Buffer.of(1, 0, 0, 0, 0), '12'],
    ['an unknown flag', Buffer.of(7, 0, 0, 0, 0), '3'],
  ])('refuses %s', async (_what, body, code) => {
    expect((await raw(session(await started()), {}, body))['grpc-status']).toBe(code);
  });

  it('refuses what is not gRPC', async () => {
    const over = session(await started());
    expect((await raw(over, { 'content-type': 'application/json' }, Buffer.from('{}')))[':status']).toBe(415);
    expect((await raw(over, { ':method': 'GET' }))[':status']).toBe(405);
  });

  it('bounds calls at once, and headers', async () => {
    const over = session(await started({ callTimeoutMs: 700 }));
    const stuck = [0, 1].map(() => raw(over, { ':path': '/t.Test/Never' }, frameOf(Buffer.alloc(0))));
    expect((await raw(over, {}, frameOf(Buffer.alloc(0))))['grpc-status']).toBe('14');
    expect((await Promise.all(stuck)).map((answer) => answer['grpc-status'])).toEqual(['4', '4']);
    expect((await raw(over, {}, frameOf(Buffer.of(5))))['grpc-status']).toBeUndefined();
    // Node itself resets the stream once the client has acknowledged our settings.
    await expect(raw(over, { 'x-much': 'x'.repeat(9_000) }, frameOf(Buffer.of(5)))).rejects.toThrow(
      'ENHANCE_YOUR_CALM',
    );
    const early = raw(session(await started()), { 'x-much': 'x'.repeat(9_000) }, frameOf(Buffer.of(5)));
    expect((await early)[':status']).toBe(431);
  });

  it('ends connections that say nothing, or nothing of HTTP/2', async () => {
    const port = await started();
    for (const greeting of ['', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n']) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined).resume();
      if (greeting !== '') socket.write(greeting);
      await once(socket, 'close');
    }
  });

  it('drains: a call under way is answered', async () => {
    let answer: (reply: Buffer) => void = () => undefined;
    const server = new UnaryGrpcServer({
      ...OPTIONS,
      methods: { '/t.Test/Slow': () => new Promise((resolve) => (answer = resolve)) },
    });
    const port = await server.listen(0, '127.0.0.1');
    const pending = call(client(port), '/t.Test/Slow', Buffer.alloc(0));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closing = server.close();
    answer(Buffer.from('late'));
    expect((await pending).toString()).toBe('late');
    for (const each of open.splice(0)) await each.close();
    await closing;
    await expect(call(client(port), '/t.Test/Slow', Buffer.alloc(0), 500)).rejects.toThrow();
  });
});
