import { createServer } from 'node:net';
import { StartFailure } from './failure.js';

export interface Ports {
  readonly nats: number;
  readonly release: number;
  readonly verifier: number;
  readonly audit: number;
  /** The embedded witness; any free one where absent, as only audit and auditors talk to it. */
  readonly witness?: number;
  /** Gramine's Secret Provisioning; off where absent. */
  readonly gramine?: number;
  /** Trustee's KBS protocol; off where absent. */
  readonly trustee?: number;
  /** The verifier's API of Microsoft Azure Attestation; off where absent. */
  readonly maa?: number;
}
export const DEFAULT_PORTS: Ports = { nats: 4222, release: 8443, verifier: 8444, audit: 8445 };

/** Checks each wanted port and replaces 0 by a free one; an occupied port is named together with the option that changes it. */
export async function settlePorts(wanted: Ports): Promise<Ports> {
  const settled: Record<string, number> = {};
  for (const [name, port] of Object.entries({ witness: 0, ...wanted }) as [string, number | undefined][])
    if (port !== undefined) settled[name] = await claim(name, port);
  return settled as unknown as Ports;
}

function claim(name: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new StartFailure(
              'PORT_OCCUPIED',
              `port ${port} (${name}) is in use by another process; choose another with --${name}-port PORT, or 0 for any free one.`,
            )
          : new StartFailure('PORT_OCCUPIED', `port ${port} (${name}) cannot be used: ${error.message}`),
      );
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const chosen = (server.address() as { port: number }).port;
      server.close(() => resolve(chosen));
    });
  });
}
