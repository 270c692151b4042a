/** One event of a `text/event-stream` (WHATWG HTML §9.2.6). */
export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
  /** The stream's last event id so far: what to resume after. */
  readonly id: string;
}

/** The most characters that one event may have before the stream counts as broken. */
const MAX_EVENT_CHARS = 1024 * 1024;

/** Splits a byte stream into events; comments (heartbeats) are dropped. Throws RangeError for an event without end. */
export async function* serverSentEvents(
  bytes: AsyncIterable<Uint8Array>,
  onRetry: (milliseconds: number) => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder('utf-8');
  let pending = '';
  let id = '';
  let type = '';
  let data: string[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    pending += decoder.decode(chunk, { stream: true });
    // A CR at the very end may be the first half of a CRLF.
    for (let end = pending.search(/\r\n|\n|\r(?!$)/); end !== -1; end = pending.search(/\r\n|\n|\r(?!$)/)) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + (pending.startsWith('\r\n', end) ? 2 : 1));
      if (line === '') {
        if (data.length > 0) yield { type: type || 'message', data: data.join('\n'), id };
        [type, data, size] = ['', [], 0];
        continue;
      }
      const [field, value] = splitField(line);
      if (field === 'data') {
        data.push(value);
        size += value.length;
      } else if (field === 'event') type = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
      else if (field === 'retry' && /^\d{1,7}$/.test(value)) onRetry(Number(value));
    }
    if (size + pending.length > MAX_EVENT_CHARS) throw new RangeError('an event of the stream is too large');
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}
