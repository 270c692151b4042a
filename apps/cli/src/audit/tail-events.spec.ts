import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { recordingTerminal, type RecordingTerminal } from '../terminal/recording-terminal.js';
import { tailEvents } from './tail-events.js';

const logged = (position: number): string =>
  JSON.stringify({
    position,
    log: 'siegel.example/log',
    index: position - 1,
    loggedAt: '2026-05-04T12:00:00.000Z',
    event: { id: `e${position}`, type: 'manifest.set', outcome: 'ok', tenant: 'default' },
  });

describe('tailEvents', () => {
  let server: Server | undefined;
  const resumedAfter: (string | undefined)[] = [];

  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((done) => (server ? server.close(done) : done(undefined)));
    resumedAfter.length = 0;
  });

  /** A stream over `total` events that breaks after every three; the last connection repeats one event. */
  async function breakingStream(total: number): Promise<string> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      resumedAfter.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const from = Math.max(Number(request.headers['last-event-id'] ?? 0), 1);
      for (let at = from; at < Math.min(from + 4, total + 1); at++)
        response.write(`id: ${at}\ndata: ${logged(at)}\n\n`);
      setTimeout(() => response.destroy(), 50);
    };
    server = createServer(answer);
    await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const positions = ({ written }: RecordingTerminal): number[] =>
    written.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { position: number }).position);

  it('resumes a broken connection without a gap and without a repetition', async () => {
    const terminal = recordingTerminal();
    const stop = new AbortController();
    const running = tailEvents({ auditUrl: await breakingStream(8), json: true }, terminal, stop.signal);
    const deadline = Date.now() + 15_000;
    while (!terminal.written.out.includes('"position":8') && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 20));
    }
    stop.abort();
    expect(await running).toBe(0);
    expect(positions(terminal)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(resumedAfter.slice(0, 2)).toEqual([undefined, '4']);
    expect(terminal.written.err).toContain('Trying again');
  }, 20_000);

  it('begins behind the position that it is given', async () => {
    const terminal = recordingTerminal();
    const stop = new AbortController();
    const running = tailEvents(
      { auditUrl: await breakingStream(8), after: '6', json: true },
      terminal,
      stop.signal,
    );
    while (!terminal.written.out.includes('"position":8')) await new Promise((done) => setTimeout(done, 20));
    stop.abort();
    await running;
    expect(positions(terminal)).toEqual([7, 8]);
    expect(resumedAfter[0]).toBe('6');
  });

  it('fails at once where nothing listens', async () => {
    const options = { auditUrl: 'http://127.0.0.1:1', json: true as const };
    const running = tailEvents(options, recordingTerminal(), new AbortController().signal);
    await expect(running).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
  });
});
