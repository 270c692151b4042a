import { duplexPair } from 'node:stream';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import type { ProvisioningIdentity } from './provisioning-authority.js';

const PATIENCE_MS = 5_000;
/** Node reports a ticket some turns of the event loop after the data that came behind it. */
const SETTLING_MS = 250;

/**
 * Whether this process answers TLS 1.3 handshakes without session tickets. Gramine 1.8 (Mbed TLS 3.6.0) takes a ticket for a fatal
 * error, and only OpenSSL's configuration (NumTickets = 0, see openssl.cnf) can turn them off, so it is tried out
 * with one handshake in memory rather than believed.
 */
export async function sendsNoTickets({ key, cert }: ProvisioningIdentity): Promise<boolean> {
  const [near, far] = duplexPair();
  const server = new TLSSocket(far, {
    isServer: true,
    secureContext: createSecureContext({ key, cert, minVersion: 'TLSv1.3' }),
  });
  // Tickets go out before the first byte of the application does.
  server.on('error', () => undefined).on('secure', () => server.write('.'));
  const client = connect({ socket: near, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  try {
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), PATIENCE_MS);
      const answer = (without: boolean): void => {
        clearTimeout(timer);
        resolve(without);
      };
      client.on('session', () => answer(false));
      client.on('error', () => answer(false));
      client.once('data', () => setTimeout(() => answer(true), SETTLING_MS));
    });
  } finally {
    client.destroy();
    server.destroy();
  }
}
