import { describe, expect, it } from '@jest/globals';
import { type AttestResponse, SiegelError } from '#contracts';
import type { PublicKey } from '#pki';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SessionClaims } from '../session/session-token.js';
import { LiveSession } from './live-session.js';

interface Line {
  readonly stream: LiveSession;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  text: string;
  closed: boolean;
  end(): void;
}

/** A stream over a real connection; `read` false is a client that never reads. */
async function line(read = true): Promise<Line> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server: Server = createServer((_request, response) => resolve(response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const arrived = new Promise<IncomingMessage>((found) =>
    get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }, found),
  );
  const response = await promise;
  const state = { text: '', closed: false };
  const stream = new LiveSession({} as SessionClaims, {} as PublicKey, response, () => (state.closed = true));
  const incoming = await arrived;
  incoming.on('error', () => undefined);
  if (read) incoming.setEncoding('utf8').on('data', (text: string) => (state.text += text));
  return Object.assign(state, {
    stream,
    incoming,
    response,
    end: () => {
      incoming.destroy();
      server.close();
      server.closeAllConnections();
    },
  });
}
const until = async (holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const answer = (size: number) => ({ release: 'x'.repeat(size) }) as AttestResponse;

describe('LiveSession', () => {
  it('writes releases with their revision, refusals and the end as server-sent events', async () => {
    const open = await line();
    open.stream.release(answer(3), 'revision');
    open.stream.denied(
      new SiegelError('SECRET_UNUSABLE', { reason: { code: 'SECRET_DISABLED', message: 'inner' } }),
    );
    open.stream.end(new SiegelError('SESSION_REVOKED'));
    await until(() => open.closed);
    expect(open.text).toContain('id: revision\nevent: release\ndata: {"release":"xxx"}\n\n');
    expect(open.text).toContain('event: denied\ndata: {"code":"SECRET_UNUSABLE"');
    expect(open.text).toContain('event: end\ndata: {"code":"SESSION_REVOKED"');
    expect(open.text).not.toContain('inner');
    expect(open.stream.isOpen).toBe(false);
    open.stream.release(answer(3), 'later');
    expect(open.text).not.toContain('later');
    open.end();
  });

  it('of a client that left while its proof was checked is over before it begins', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerResponse>();
    const server: Server = createServer((_request, response) => resolve(response));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const leaving = get({ port, host: '127.0.0.1' }).on('error', () => undefined);
    try {
      const response = await promise;
      leaving.destroy();
      await until(() => response.destroyed);
      const stream = new LiveSession({} as SessionClaims, {} as PublicKey, response, () => undefined);
      expect(stream.isOpen).toBe(false);
      expect(stream.isReady).toBe(false);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('forgets which release the enclave has once one was refused, so that a resumed stream brings a fresh one', async () => {
    const open = await line();
    open.stream.release(answer(3), 'revision');
    open.stream.denied(new SiegelError('SECRET_NOT_FOUND'));
    expect(open.stream.revision).toBeUndefined();
    open.end();
  });

  it('shows that the line is alive, but not more often than asked', async () => {
    const open = await line();
    open.stream.tick(Date.now() + 50, 100);
    open.stream.tick(Date.now() + 200, 100);
    await until(() => open.text.includes(': still here'));
    expect(open.text.match(/still here/g)).toHaveLength(1);
    open.end();
  });

  it('holds no more than so much for a reader that does not read, and cuts it off', async () => {
    const open = await line(false);
    const size = 1_000_000;
    for (let sent = 0; open.stream.isReady && sent < 50; sent++) {
      open.stream.release(answer(size), `r${sent}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(open.stream.isReady).toBe(false);
    const waiting = open.response.writableLength;
    open.stream.release(answer(size), 'one more');
    await until(() => open.closed);
    expect(open.response.writableLength).toBeLessThanOrEqual(waiting);
    open.end();
  });

  it('cuts off a reader that takes too long, and none that has caught up', async () => {
    const slow = await line(false);
    while (slow.stream.isReady) slow.stream.release(answer(1_000_000), 'r');
    const now = Date.now();
    slow.stream.tick(now, 100);
    slow.stream.tick(now + 29_000, 100);
    expect(slow.closed).toBe(false);
    slow.stream.tick(now + 31_000, 100);
    await until(() => slow.closed);
    slow.end();

    const late = await line(false);
    while (late.stream.isReady) late.stream.release(answer(1_000_000), 'r');
    late.stream.tick(now, 100);
    late.incoming.resume();
    await until(() => late.stream.isReady);
    late.stream.tick(now + 31_000, 3_600_000);
    expect(late.stream.isOpen).toBe(true);
    late.end();
  });
});
