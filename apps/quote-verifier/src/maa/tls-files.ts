import { ConfigurationError } from '#platform';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { MaaSettings } from './maa-environment.js';

/** Certificate chain and key of the listener, checked against each other. @throws ConfigurationError */
export function tlsIdentity(settings: MaaSettings): { cert: string; key: string } {
  const cert = read('SIEGEL_MAA_TLS_CERT_FILE', settings.SIEGEL_MAA_TLS_CERT_FILE);
  const key = read('SIEGEL_MAA_TLS_KEY_FILE', settings.SIEGEL_MAA_TLS_KEY_FILE);
  let matches: boolean;
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw refuse('SIEGEL_MAA_TLS_CERT_FILE', `is no certificate with its key: ${(error as Error).message}`);
  }
  if (!matches) throw refuse('SIEGEL_MAA_TLS_KEY_FILE', 'is not the key of the first certificate');
  return { cert, key };
}

function read(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw refuse(variable, (error as Error).message);
  }
}

const refuse = (variable: string, message: string): ConfigurationError =>
  new ConfigurationError([{ variable, message }]);
