import { connect, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import type { Layout } from '../../apps/cli/src/up/layout.js';
import { inboxPrefix, type NatsUser } from '../../apps/cli/src/up/nats-config.js';

/** A connection with the credentials of one of the deployment's users, as who has stolen them would make it. */
export function connectAs(user: NatsUser, layout: Layout, url: string): Promise<NatsConnection> {
  return connect({
    servers: url,
    authenticator: nkeyAuthenticator(
      new TextEncoder().encode(readFileSync(layout.seed(user), 'utf8').trim()),
    ),
    inboxPrefix: inboxPrefix(user),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    noAsyncTraces: true,
  });
}
