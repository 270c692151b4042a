import { readFileSync } from 'node:fs';
import { Agent, type AgentOptions } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { SecretClientOptions } from '@azure/keyvault-secrets';
import { VaultError } from '../errors.js';

export interface TransportOptions {
  /** PEM file with further certificate authorities (private cloud, test); the system's stay trusted. */
  readonly caFile?: string;
  /** IP address to connect to, whatever name resolution says; the certificate must still carry the vault's host name. */
  readonly connectAddress?: string;
  /** Default 32. */
  readonly maxSockets?: number;
}

type Policy = NonNullable<SecretClientOptions['additionalPolicies']>[number];

/** A transport of the SDK: a keep-alive agent of our own for HTTPS; the metadata service is plain HTTP and keeps the SDK's. */
export interface Transport {
  readonly policies: Policy[];
  close(): void;
}

/** @throws VaultError VAULT_MISCONFIGURED */
export function makeTransport(options: TransportOptions): Transport {
  const settings: AgentOptions = {
    keepAlive: true,
    maxSockets: options.maxSockets ?? 32,
    minVersion: 'TLSv1.2',
  };
  if (options.caFile !== undefined)
    settings.ca = [...getCACertificates('default'), readCaFile(options.caFile)];
  if (options.connectAddress !== undefined) settings.lookup = pinnedLookup(options.connectAddress);
  const agent = new Agent(settings);
  return {
    policies: [
      {
        position: 'perRetry',
        policy: {
          name: 'siegelTransport',
          sendRequest: (request, next) => {
            if (request.url.startsWith('https:')) request.agent = agent;
            return next(request);
          },
        },
      },
    ],
    close: () => agent.destroy(),
  };
}

function readCaFile(caFile: string): string {
  let pem: string;
  try {
    pem = readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new VaultError(
      'VAULT_MISCONFIGURED',
      `caFile ${caFile}: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new VaultError('VAULT_MISCONFIGURED', `caFile ${caFile} holds no PEM certificate`);
  }
  return pem;
}

function pinnedLookup(address: string): LookupFunction {
  const family = isIP(address);
  if (family === 0)
    throw new VaultError('VAULT_MISCONFIGURED', `connectAddress "${address}" is not an IP address`);
  return (_hostname, { all }, callback) => {
    if (all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}
