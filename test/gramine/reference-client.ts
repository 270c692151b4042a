import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { toPem } from '#pki';
import type { RaTlsIdentity } from './ra-tls-identity.js';

export const REQUEST = Buffer.from('SECRET_PROVISION_RA_TLS_REQUEST_V1\0');
export const RESPONSE = Buffer.from('SECRET_PROVISION_RA_TLS_RESPONSE_V1:\0');

export interface Provisioned {
  readonly secret: Buffer;
  /** Everything that the server sent inside TLS. */
  readonly received: Buffer;
  readonly protocol: string | null;
  readonly chain: readonly Buffer[];
}

/** The server closed without an answer, or with another one; there is no message for a refusal. */
export class NotProvisioned extends Error {
  override readonly name = 'NotProvisioned';
}

export interface ClientOptions {
  readonly port: number;
  readonly ca: string;
  readonly servername?: string;
  readonly tls?: ConnectionOptions;
  /** Sent in place of the request. */
  readonly request?: Buffer;
}

/** Opens the connection as Gramine's library does: client certificate, no ALPN, server checked against one CA. */
export function openConnection(
  identity: RaTlsIdentity | undefined,
  options: ClientOptions,
): Promise<TLSSocket> {
  const { port, ca, servername = 'localhost', tls } = options;
  const own = identity && {
    cert: toPem('CERTIFICATE', identity.certificate),
    key: identity.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca, servername, ...own, ...tls });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** secret_provision_start() and _get(): asks, and reads answer, size and secret by their exact lengths. */
export async function provision(
  identity: RaTlsIdentity | undefined,
  options: ClientOptions,
): Promise<Provisioned> {
  const socket = await openConnection(identity, options);
  const protocol = socket.getProtocol();
  const chain = chainOf(socket);
  socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')));
  socket.write(options.request ?? REQUEST);
  const received = await untilEnd(socket);
  const head = RESPONSE.length + 4;
  if (received.length < head || !received.subarray(0, RESPONSE.length).equals(RESPONSE))
    throw new NotProvisioned(`${received.length} bytes instead of an answer`);
  const size = received.readUInt32BE(RESPONSE.length);
  if (received.length !== head + size)
    throw new NotProvisioned(`${received.length} bytes, not ${head + size}`);
  return { secret: received.subarray(head), received, protocol, chain };
}

function untilEnd(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.once('close', () => resolve(Buffer.concat(parts)));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve(Buffer.concat(parts)) : reject(error),
    );
  });
}

function chainOf(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let next = socket.getPeerCertificate(true);
  while (next?.raw && !chain.some((one) => one.equals(next.raw))) {
    chain.push(next.raw);
    next = next.issuerCertificate;
  }
  return chain;
}

/** Constructor mode with SECRET_PROVISION_SECRET_STRING: a NUL-terminated string of 1 to 4,096 bytes, else the client ends. */
export function asEnvironmentString(secret: Buffer): string {
  const terminated = secret.length >= 1 && secret.length <= 4_096 && secret.at(-1) === 0;
  if (!terminated) throw new NotProvisioned('no string for the environment');
  return secret.subarray(0, -1).toString('utf8');
}
