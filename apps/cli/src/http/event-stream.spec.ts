import { describe, expect, it } from '@jest/globals';
import { serverSentEvents, type ServerSentEvent } from './event-stream.js';

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function read(...parts: string[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(chunks(...parts))) events.push(event);
  return events;
}

describe('serverSentEvents', () => {
  it('reads type, data and id, and drops comments', async () => {
    expect(await read(': hello\n\nid: 7\nevent: logged\ndata: {"a":1}\n\n')).toEqual([
      { type: 'logged', data: '{"a":1}', id: '7' },
    ]);
  });

  it('joins lines of data, keeps the id, and knows all line ends', async () => {
    expect(await read('id:1\r\ndata:a\r\ndata: b\r\n\r\n', 'data:c\r\r', 'data:d\n\n')).toEqual([
      { type: 'message', data: 'a\nb', id: '1' },
      { type: 'message', data: 'c', id: '1' },
      { type: 'message', data: 'd', id: '1' },
    ]);
  });

  it('does not mind where the bytes are cut', async () => {
    const text = 'id: 12\r\ndata: grün ✓\r\n\r\ndata: two\n\n';
    const bytes = Buffer.from(text);
    async function* single(): AsyncGenerator<Uint8Array> {
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    const events: ServerSentEvent[] = [];
    for await (const event of serverSentEvents(single())) events.push(event);
    expect(events.map(({ data }) => data)).toEqual(['grün ✓', 'two']);
  });

  it('leaves out an event that has not ended', async () => {
    expect(await read('data: whole\n\ndata: half\n')).toHaveLength(1);
  });

  it('gives up on an event without end', async () => {
    const endless = Array.from({ length: 20 }, () => `data: ${'x'.repeat(100_000)}\n`);
    await expect(read(...endless)).rejects.toThrow(RangeError);
  });
});
