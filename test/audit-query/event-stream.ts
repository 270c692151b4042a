import { describe, expect, it } from '@jest/globals';
import type { FilledLog, Item } from './filled-log.js';

export function eventStream({ deployment, emitter, append, ids }: FilledLog): void {
  describe('GET /v1/events/stream', () => {
    /** Reads server-sent events until `count` came. */
    async function read(path: string, count: number, headers: Record<string, string> = {}) {
      const abort = new AbortController();
      const response = await fetch(`${deployment.url}${path}`, {
        headers: { authorization: `Bearer ${deployment.token}`, ...headers },
        signal: abort.signal,
      });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      const got: { id: string; type: string; data: Item }[] = [];
      let text = '';
      try {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk;
          for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
            const fields = Object.fromEntries(
              text
                .slice(0, end)
                .split('\n')
                .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
            );
            text = text.slice(end + 2);
            if (fields['data'])
              got.push({
                id: fields['id']!,
                type: fields['event']!,
                data: JSON.parse(fields['data']) as Item,
              });
          }
          if (got.length >= count) break;
        }
      } finally {
        abort.abort();
      }
      return got.slice(0, count);
    }

    it('shows events as they are logged', async () => {
      const live = read('/v1/events/stream?workload=live', 2);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const sent = [
        emitter().event({ workload: 'live' }),
        emitter().event(),
        emitter().event({ workload: 'live' }),
      ];
      for (const { entry } of sent) await append(entry);
      expect((await live).map(({ data }) => data.event.id)).toEqual([sent[0]!.id, sent[2]!.id]);
    }, 20_000);

    it('resumes behind Last-Event-ID without loss or repetition', async () => {
      const first = await read('/v1/events/stream?after=0&type=attestation.denied', 25);
      const second = await read('/v1/events/stream?type=attestation.denied', 35, {
        'last-event-id': first[24]!.id,
      });
      expect([...first, ...second].map(({ data }) => data.event.id)).toEqual(ids);
    }, 20_000);

    it('refuses a Last-Event-ID that is not one of ours', async () => {
      const response = await deployment.get('/v1/events/stream', { 'last-event-id': 'x' });
      expect(await response.json()).toMatchObject({ code: 'CURSOR_INVALID' });
    });
  });
}
