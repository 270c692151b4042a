import { SiegelError } from '#contracts';
import { connect, type Socket } from 'node:net';
import { endianness } from 'node:os';
import { inconsistent } from './aesm-messages.js';

const LENGTH_BYTES = 4;
/** The largest answer is a quote with its certificate chain: below 10 KiB. */
const MAX_RESPONSE_BYTES = 256 * 1024;
const LITTLE = endianness() === 'LE';

/**
 * One exchange with aesmd: it takes one request per connection; each message stands behind its length in the byte order of the machine.
 *
 * @throws SiegelError QUOTING_UNAVAILABLE, QUOTING_INCONSISTENT
 */
export async function transact(path: string, request: Buffer, timeoutMs: number): Promise<Buffer> {
  const socket = connect(path);
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    const length = Buffer.alloc(LENGTH_BYTES);
    if (LITTLE) length.writeUInt32LE(request.length);
    else length.writeUInt32BE(request.length);
    socket.write(Buffer.concat([length, request]));
    return await readMessage(socket);
  } catch (error) {
    if (error instanceof SiegelError) throw error;
    throw new SiegelError('QUOTING_UNAVAILABLE', {
      reason: {
        code: (error as NodeJS.ErrnoException).code ?? 'AESM_NO_ANSWER',
        message: (error as Error).message.slice(0, 300),
      },
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

async function readMessage(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  let received = 0;
  let wanted: number | undefined;
  for await (const part of socket as AsyncIterable<Buffer>) {
    parts.push(part);
    received += part.length;
    if (wanted === undefined && received >= LENGTH_BYTES) {
      const start = Buffer.concat(parts);
      wanted = LENGTH_BYTES + (LITTLE ? start.readUInt32LE() : start.readUInt32BE());
      if (wanted > LENGTH_BYTES + MAX_RESPONSE_BYTES)
        throw inconsistent('AESM_RESPONSE_TOO_LARGE', `${wanted - LENGTH_BYTES} bytes`);
    }
    if (wanted !== undefined && received >= wanted)
      return Buffer.concat(parts).subarray(LENGTH_BYTES, wanted);
  }
  throw new Error('the connection ended before the answer did');
}
