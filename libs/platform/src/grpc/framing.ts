import type { Readable } from 'node:stream';
import { GRPC_STATUS, GrpcError } from './status.js';

const PREFIX_BYTES = 5;

/** One message with its prefix: not compressed, its length as a big-endian u32 (grpc/doc/PROTOCOL-HTTP2.md). */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/**
 * The one message of a unary request: everything that the stream brings must be exactly that frame.
 *
 * @throws GrpcError RESOURCE_EXHAUSTED beyond the limit, UNIMPLEMENTED for a compressed message, INVALID_ARGUMENT for anything else,
 *   CANCELLED where the stream ended early
 */
export function readUnaryMessage(stream: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let settled = false;
    const refuse = (status: number, message: string): void => {
      // Every stream closes once, the good ones too: an error with its stack is dear.
      if (settled) return;
      settled = true;
      stream.removeAllListeners('data');
      stream.resume();
      reject(new GrpcError(status, message));
    };
    stream.on('data', (part: Buffer) => {
      size += part.length;
      parts.push(part);
      if (size > PREFIX_BYTES + maxBytes)
        refuse(GRPC_STATUS.resourceExhausted, `a message of more than ${maxBytes} bytes`);
    });
    stream.once('end', () => {
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (bytes.length < PREFIX_BYTES) return refuse(GRPC_STATUS.invalidArgument, 'no message');
      if (bytes[0] === 1) return refuse(GRPC_STATUS.unimplemented, 'compressed messages are not read');
      if (bytes[0] !== 0) return refuse(GRPC_STATUS.invalidArgument, 'not a frame of gRPC');
      if (bytes.readUInt32BE(1) !== bytes.length - PREFIX_BYTES)
        return refuse(GRPC_STATUS.invalidArgument, 'not exactly one message');
      settled = true;
      resolve(bytes.subarray(PREFIX_BYTES));
    });
    stream.once('aborted', () => refuse(GRPC_STATUS.cancelled, 'the stream ended early'));
    stream.once('close', () => refuse(GRPC_STATUS.cancelled, 'the stream ended early'));
  });
}

const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** `grpc-timeout` in milliseconds: at most eight digits and a unit. Undefined for what is none. */
export function timeoutMs(header: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header ?? '');
  return match ? Number(match[1]) * UNITS_MS[match[2]!]! : undefined;
}
