import { readFileSync } from 'node:fs';
import { connect, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { ServiceEnvironment } from '../config/service-environment.js';

export const NATS_CONNECTION = Symbol('NATS_CONNECTION');

/** Connects with the service's nkey and keeps reconnecting for as long as the process lives. */
export async function connectNats(environment: ServiceEnvironment, name: string): Promise<NatsConnection> {
  const seed = new TextEncoder().encode(readFileSync(environment.SIEGEL_NATS_SEED_FILE, 'utf8').trim());
  return connect({
    servers: environment.SIEGEL_NATS_SERVERS,
    name: `${name}@${environment.SIEGEL_INSTANCE}`,
    authenticator: nkeyAuthenticator(seed),
    inboxPrefix: environment.SIEGEL_NATS_INBOX_PREFIX,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    waitOnFirstConnect: true,
    // Two errors captured per request cost a third of the throughput and name nothing that a code does not.
    noAsyncTraces: true,
    ...(environment.SIEGEL_NATS_CA_FILE === undefined
      ? {}
      : { tls: { caFile: environment.SIEGEL_NATS_CA_FILE } }),
  });
}
