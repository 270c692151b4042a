import { TENANT_PATTERN } from '#contracts';
import { ConfigurationError, type Trust } from '#platform';
import { type KeyObject, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { AuditEnvironment } from './audit-environment.js';
import type { OwnLog } from './own-log.js';

/** The service's private keys, each checked against the trust file that everybody else believes. */
export interface AuditKeys {
  emitter: { name: string; kid: string; privateKey: KeyObject };
  logKey: KeyObject;
  /** The key that the log had before, during the overlap. */
  previous: { kid: string; privateKey: KeyObject } | undefined;
  logs: OwnLog[];
}

/**
 * Reads both keys. A key that the trust file does not list would produce events and promises that nobody accepts,
 * so it is a configuration error.
 * @throws ConfigurationError
 */
export function readAuditKeys(environment: AuditEnvironment, trust: Trust): AuditKeys {
  const emitterKey = readKey('SIEGEL_EMITTER_KEY_FILE', environment.SIEGEL_EMITTER_KEY_FILE);
  const logKey = readKey('SIEGEL_AUDIT_LOG_KEY_FILE', environment.SIEGEL_AUDIT_LOG_KEY_FILE);
  const emitterPublic = createPublicKey(emitterKey);
  const emitter = [...trust.emitters].find(([, { key }]) => key.equals(emitterPublic));
  if (!emitter) throw refused('SIEGEL_EMITTER_KEY_FILE', 'holds a key that is no emitter in the trust file');
  const logPublic = createPublicKey(logKey);
  const logs = trust.logs
    .filter(({ publicKey }) => publicKey.equals(logPublic))
    .map(({ origin, kid }, id) => ({ id, origin, kid, name: origin.split('/').at(-1)! }));
  if (logs.length === 0)
    throw refused('SIEGEL_AUDIT_LOG_KEY_FILE', 'holds a key that is no log in the trust file');
  const nameless = logs.find(({ name }) => !TENANT_PATTERN.test(name));
  if (nameless)
    throw refused(
      'SIEGEL_TRUST_FILE',
      `has the log ${nameless.origin}, whose origin does not end in a tenant`,
    );
  if (new Set(logs.map(({ name }) => name)).size !== logs.length) {
    throw refused('SIEGEL_TRUST_FILE', 'has two logs of this service whose origins end alike');
  }
  const previous = readPrevious(environment, trust, logPublic);
  return {
    emitter: { name: emitter[1].name, kid: emitter[0], privateKey: emitterKey },
    logKey,
    previous,
    logs,
  };
}

/** Its promises are still believed, so the trust file lists it beside the one that follows it. */
function readPrevious(
  { SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE: file }: AuditEnvironment,
  trust: Trust,
  present: KeyObject,
): AuditKeys['previous'] {
  if (file === undefined) return undefined;
  const variable = 'SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE';
  const privateKey = readKey(variable, file);
  const publicKey = createPublicKey(privateKey);
  if (publicKey.equals(present)) throw refused(variable, 'holds the same key as SIEGEL_AUDIT_LOG_KEY_FILE');
  const listed = trust.logs.find((log) => log.publicKey.equals(publicKey));
  if (!listed) throw refused(variable, 'holds a key that is no log in the trust file');
  return { kid: listed.kid, privateKey };
}

function readKey(variable: string, path: string): KeyObject {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw new Error(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
    const key = createPrivateKey(readFileSync(path, 'utf8'));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('is not an Ed25519 key');
    return key;
  } catch (error) {
    throw refused(variable, `cannot be used: ${(error as Error).message}`);
  }
}

const refused = (variable: string, message: string) => new ConfigurationError([{ variable, message }]);
