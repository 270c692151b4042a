import type { Readable } from 'node:stream';

/** Larger than was allowed; the rest was not read. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}
export class BodyTimeout extends Error {
  override readonly name = 'BodyTimeout';
}

/** The whole body. @throws BodyTooLarge, BodyTimeout, or what the stream fails with */
export function readWholeBody(stream: Readable, maxBytes: number, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => end(new BodyTimeout('the body did not arrive in time')), timeoutMs);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      stream.off('data', take).off('end', whole).off('error', end).off('close', gone);
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > maxBytes) end(new BodyTooLarge(`more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    };
    const whole = (): void => end();
    const gone = (): void => end(new Error('the client went away'));
    stream.on('data', take).on('end', whole).on('error', end).on('close', gone);
  });
}
