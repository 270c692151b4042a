import { connect, type ConnectionOptions } from 'node:tls';
import { readFileSync } from 'node:fs';

export interface RawAnswer {
  /** Everything that the server sent before it closed or fell silent. */
  readonly text: string;
  /** Status codes in the order in which they came. */
  readonly statuses: number[];
  /** Why there was no connection, or how it ended. */
  readonly error?: string;
}

/** Sends bytes as they are over TLS, for what no HTTP client would send. */
export function sendRaw(
  url: string,
  caFile: string,
  bytes: string | Buffer,
  options: ConnectionOptions & { silenceMs?: number } = {},
): Promise<RawAnswer> {
  const { silenceMs = 1_500, ...tls } = options;
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect({
      host: '127.0.0.1',
      port: Number(port),
      servername: hostname,
      ca: readFileSync(caFile),
      ...tls,
    });
    let text = '';
    let error: string | undefined;
    socket.setEncoding('latin1');
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on('secureConnect', () => socket.write(bytes));
    socket.on('data', (part: string) => (text += part));
    socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code ?? failure.message));
    socket.on('close', () =>
      resolve({
        text,
        statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)),
        ...(error === undefined ? {} : { error }),
      }),
    );
  });
}
