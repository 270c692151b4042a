import { SiegelError } from '#contracts';
import type { IncomingMessage } from 'node:http';

/** The whole body. @throws SiegelError REQUEST_TOO_LARGE; Error where the peer breaks off */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        request.pause();
        reject(tooLarge(maxBytes));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)));
    request.on('error', reject);
  });
}

const tooLarge = (maxBytes: number): SiegelError =>
  new SiegelError('REQUEST_TOO_LARGE', { detail: `at most ${maxBytes} bytes are read here` });
