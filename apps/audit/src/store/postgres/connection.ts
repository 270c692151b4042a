import { ConfigurationError } from '#platform';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** How the store is reached, as it can be handed to a thread. */
export interface PostgresSettings {
  /** Connection URL; it may hold a password and is never logged. */
  url: string;
  /** Width of the partitions. */
  partition: 'day' | 'month';
}

const VARIABLE = 'SIEGEL_AUDIT_POSTGRES_FILE';
const SECURE = 'verify-full';

/**
 * Reads the connection URL. What leaves the machine must be encrypted and the server's name verified
 * (`sslmode=verify-full`): the other modes of libpq let whoever is in between answer for the database.
 * @throws ConfigurationError that names the variable and never what the file holds
 */
export function readPostgresUrl(path: string): string {
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw new Error(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw refused(`cannot be used: ${(error as Error).message}`);
  }
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text))
    throw refused('does not hold one URL like postgresql://user@host/database');
  const url = new URL(text);
  // It would replace ours, with the schema in them.
  if (url.searchParams.has('options')) throw refused('must not set options');
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname);
  if (!isLocal(host) && url.searchParams.get('sslmode') !== SECURE)
    throw refused(`names another machine, so its URL needs sslmode=${SECURE}`);
  return text;
}

function isLocal(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost') return true;
  const address = host.replace(/^\[|\]$/g, '');
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

const refused = (message: string) => new ConfigurationError([{ variable: VARIABLE, message }]);
