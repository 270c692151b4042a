import { afterEach, describe, expect, it } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LogProgress } from '../index/log-progress.js';
import { LiveStream } from './live-stream.js';
import type { LoggedEvent } from './query-schema.js';
import type { Reader } from './reader.js';

const EVENTS = 4_000;
const PAGE = 100;
/** Large enough for all of it to fit in no buffer between the two ends. */
const TEXT = 'x'.repeat(8_000);
const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const each of open.splice(0))
    if ('destroy' in each) each.destroy();
    else each.close();
});

/** A log of many events, and how many pages of it were read. */
function log() {
  const pages = { read: 0 };
  const reader = {
    call: (_name: string, { after }: { after: number }) => {
      pages.read++;
      const events = Array.from({ length: Math.min(PAGE, EVENTS - after) }, (_, i) => ({
        position: after + i + 1,
        event: { type: 'service.started', text: TEXT },
      })) as unknown as LoggedEvent[];
      const searchedTo = events.at(-1)?.position ?? after;
      return Promise.resolve({ events, more: searchedTo < EVENTS, searchedTo });
    },
  } as unknown as Reader;
  return { pages, reader };
}

describe('a subscriber that does not read', () => {
  it('stops its own stream alone, costs bounded memory, and misses nothing when it goes on', async () => {
    const { pages, reader } = log();
    const progress = new LogProgress();
    progress.take({ kind: 'indexed', position: EVENTS });
    const server = createServer((_request, raw) => {
      const reply = { raw, hijack: () => undefined } as unknown as FastifyReply;
      void new LiveStream(reader, progress, {}).run(reply, 0);
    });
    open.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const subscribe = (): Socket => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.pause();
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      open.push(socket);
      return socket;
    };
    const stalled = subscribe();
    let before = -1;
    for (; pages.read === 0 || before !== pages.read; await delay(500)) before = pages.read;
    expect(pages.read).toBeGreaterThan(0);
    expect(pages.read).toBeLessThan(EVENTS / PAGE / 2);
    // Somebody else reads all of it meanwhile.
    const ids = async (socket: Socket): Promise<number[]> => {
      const found: number[] = [];
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop()!;
        for (const line of lines) if (line.startsWith('id: ')) found.push(Number(line.slice(4)));
      });
      socket.resume();
      for (let i = 0; i < 200 && found.length < EVENTS; i++) await delay(50);
      return found;
    };
    const all = Array.from({ length: EVENTS }, (_, i) => i + 1);
    expect(await ids(subscribe())).toEqual(all);
    expect(await ids(stalled)).toEqual(all);
  }, 20_000);
});
