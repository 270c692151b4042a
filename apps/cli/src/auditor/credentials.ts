import { TENANT_PATTERN, TrustFile } from '#contracts';
import { nkeyAuthenticator, connect, type NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_CREDENTIALS_BYTES = 1024 * 1024;

/**
 * What an auditor is given: a read-only user of the broker, where the log is, and the public keys. An auditor who has the
 * keys from another source names those; the operator's word is only the preset.
 */
export const AuditorCredentials = z.strictObject({
  siegelCredentials: z.literal(1),
  name: z.string().max(64),
  tenant: z.string().regex(TENANT_PATTERN),
  nats: z.strictObject({
    url: z.string().max(2_048),
    /** nkey seed: the one secret of this file. */
    seed: z.string().max(128),
    inboxPrefix: z.string().max(128),
    stream: z.string().max(128),
    consumer: z.string().max(128),
  }),
  audit: z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(2_048) }),
  witness: z.strictObject({ url: z.string().max(2_048), key: z.string().max(2_048) }).optional(),
  trust: TrustFile,
});
export type AuditorCredentials = z.infer<typeof AuditorCredentials>;

/** @throws CliError KEYS_INVALID, FILE_NOT_FOUND, FILE_UNREADABLE */
export async function readCredentials(path: string, terminal: Terminal): Promise<AuditorCredentials> {
  const bytes = await readWhole(path, MAX_CREDENTIALS_BYTES, terminal);
  try {
    return AuditorCredentials.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw CliError.of('KEYS_INVALID', `"${path}" is not a file of auditor's credentials.`, { cause: error });
  }
}

export interface BrokerUser {
  readonly url: string;
  readonly seed: string;
  readonly inboxPrefix: string;
}

/** @throws CliError BROKER_UNUSABLE */
export async function connectBroker({ url, seed, inboxPrefix }: BrokerUser): Promise<NatsConnection> {
  try {
    return await connect({
      servers: url,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
      inboxPrefix,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 1_000,
      timeout: 5_000,
      noAsyncTraces: true,
    });
  } catch (error) {
    throw CliError.of(
      'BROKER_UNUSABLE',
      `${url} did not let ${inboxPrefix} in: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  }
}
