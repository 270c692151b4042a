import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';

export interface RawAnswer {
  readonly status: number;
  /** Status line and headers. */
  readonly head: string;
  readonly body: string;
}

/**
 * One keep-alive HTTP connection that sends ready-made requests, one at a time: the least that a client can do, so that the
 * measurement is of the services.
 */
export class RawConnection {
  private received = '';
  private settle: ((answer: RawAnswer) => void) | undefined;
  private fail: ((error: Error) => void) | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.setNoDelay(true);
    socket.on('data', (text: string) => this.read(text));
    socket.on('error', (error) => this.fail?.(error));
    socket.on('close', () => this.fail?.(new Error('the connection was closed')));
  }

  static open(port: number, ca: string): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca }, () =>
        resolve(new RawConnection(socket)),
      );
      socket.once('error', reject);
    });
  }

  /** Without TLS. */
  static openPlain(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connectPlain(port, '127.0.0.1', () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Buffer | string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
      this.socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.fail = undefined;
    this.socket.destroy();
  }

  private read(text: string): void {
    this.received += text;
    const head = this.received.indexOf('\r\n\r\n');
    if (head === -1) return;
    const headers = this.received.slice(0, head);
    const length = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? 0);
    if (this.received.length < head + 4 + length) return;
    const body = this.received.slice(head + 4, head + 4 + length);
    const status = Number(headers.slice(9, 12));
    this.received = this.received.slice(head + 4 + length);
    this.settle?.({ status, head: headers, body });
  }
}

export function httpRequest(path: string, host: string, json: unknown): Buffer {
  const body = JSON.stringify(json);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
