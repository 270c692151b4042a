import { ConfigurationError } from '#platform';
import { readFileSync, statSync } from 'node:fs';
import type { Server, ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { AuditEnvironment } from '../audit-environment.js';
import { readAccessFile } from './access-settings.js';

const LOOK_MS = 30_000;

/** The files of the HTTPS server: own certificate and key, and what client certificates are checked with. */
export interface ServerTls {
  readonly options: ServerOptions;
  /** Takes changed files into use without a restart, as certificates are short-lived; until the function that it answers is called. */
  watch(server: Server, onProblem: (message: string) => void, everyMs?: number): () => void;
}

/**
 * TLS of the HTTP API; undefined where no certificate is configured.
 * @throws ConfigurationError if half of it is, if a file cannot be read, or if client certificates are wanted without it
 */
export function serverTls(environment: AuditEnvironment): ServerTls | undefined {
  const { SIEGEL_AUDIT_TLS_CERT_FILE: cert, SIEGEL_AUDIT_TLS_KEY_FILE: key } = environment;
  const { mtls } = readAccessFile(environment.SIEGEL_AUDIT_ACCESS_FILE);
  if ((cert === undefined) !== (key === undefined))
    throw refused(
      cert === undefined ? 'SIEGEL_AUDIT_TLS_CERT_FILE' : 'SIEGEL_AUDIT_TLS_KEY_FILE',
      'certificate and key file belong together',
    );
  if (cert === undefined || key === undefined) {
    if (mtls)
      throw refused('SIEGEL_AUDIT_ACCESS_FILE', 'client certificates need SIEGEL_AUDIT_TLS_CERT_FILE');
    return undefined;
  }
  const files = { cert, key, ...(mtls ? { ca: mtls.clientCaFile, crl: mtls.crlFile } : {}) };
  const named = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const read = () =>
    Object.fromEntries(named.map(([option, path]) => [option, readFile(option, path)])) as {
      cert: string;
      key: string;
      ca?: string;
      crl?: string;
    };
  const stamp = (): string => named.map(([, path]) => statSync(path).mtimeMs).join(' ');
  // A connection without a certificate, or with a bad one, is answered: with 401, or by its token.
  const clients = mtls ? { requestCert: true, rejectUnauthorized: false } : {};
  let seen = stampOf(stamp);
  const first = read();
  try {
    createSecureContext(first);
  } catch (error) {
    throw refused(
      'SIEGEL_AUDIT_TLS_CERT_FILE',
      `or a file beside it is not usable: ${(error as Error).message}`,
    );
  }
  return {
    options: { ...first, minVersion: 'TLSv1.2', ...clients },
    watch(server, onProblem, everyMs = LOOK_MS) {
      const timer = setInterval(() => {
        const now = stampOf(stamp);
        if (now === seen) return;
        try {
          server.setSecureContext({ ...read(), minVersion: 'TLSv1.2' });
          seen = now;
        } catch (error) {
          onProblem(`the changed TLS files are not usable yet: ${(error as Error).message}`);
        }
      }, everyMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

function stampOf(stamp: () => string): string {
  try {
    return stamp();
  } catch {
    return 'unreadable';
  }
}

function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const variable =
      option === 'cert'
        ? 'SIEGEL_AUDIT_TLS_CERT_FILE'
        : option === 'key'
          ? 'SIEGEL_AUDIT_TLS_KEY_FILE'
          : 'SIEGEL_AUDIT_ACCESS_FILE';
    throw refused(variable, `names a file that cannot be read: ${(error as Error).message}`);
  }
}

const refused = (variable: string, message: string) => new ConfigurationError([{ variable, message }]);
