import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';

/** For a whole request with its headers, and for a TLS handshake. */
export const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const DRAIN_MS = 5_000;

/** Bounds a server that stands beside Nest, as Nest's own is bounded. */
export function boundServer(server: HttpServer, maxConnections: number): void {
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = maxConnections;
}

/**
 * @param onError for errors of the listening socket later on
 * @returns the port, which may be the system's choice (0). @throws the error of listening
 */
export async function startListening(
  server: Server,
  port: number,
  host: string,
  onError?: (error: Error) => void,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  if (onError) server.on('error', onError);
  return (server.address() as AddressInfo).port;
}

/** No new connections; answers under way are given a few seconds. */
export async function stopListening(server: HttpServer): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(late);
}
