import { type KeyObject, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The key file cannot be used; the message says why. */
export class WitnessKeyError extends Error {
  override readonly name = 'WitnessKeyError';
}

/** Reads the witness's Ed25519 key (PEM PKCS#8, mode 0600), which is made at first start. @throws WitnessKeyError */
export function openOrCreateWitnessKey(path: string): KeyObject {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(path, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused(path, (error as Error).message);
  }
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) throw refused(path, `is readable by others (mode ${(mode & 0o777).toString(8)})`);
  try {
    const key = createPrivateKey(readFileSync(path, 'utf8'));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('it is not an Ed25519 key');
    return key;
  } catch (error) {
    throw refused(path, (error as Error).message);
  }
}

const refused = (path: string, why: string): WitnessKeyError =>
  new WitnessKeyError(`the witness key ${path} cannot be used: ${why}`);
