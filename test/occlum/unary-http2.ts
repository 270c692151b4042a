import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';

/** The server answered with another status than OK. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(text);
  }
}

/** One unary call of gRPC over an open connection; gives the message of the reply. */
export async function callUnary(session: ClientHttp2Session, path: string, message: Buffer): Promise<Buffer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  let status = NaN;
  let text = '';
  const take = (headers: Record<string, unknown>): void => {
    if (headers['grpc-status'] === undefined) return;
    status = Number(headers['grpc-status']);
    text = decodeURIComponent(String(headers['grpc-message'] ?? ''));
  };
  stream.on('response', take).on('trailers', take);
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  await once(stream, 'close');
  if (status !== 0) throw new Refused(status, text);
  return Buffer.concat(parts).subarray(5);
}

/** A connection in clear text for one call, as Occlum's AECS client makes it. */
export async function callInClear(port: number, path: string, message: Buffer): Promise<Buffer> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  try {
    await once(session, 'connect');
    return await callUnary(session, path, message);
  } finally {
    session.destroy();
  }
}
