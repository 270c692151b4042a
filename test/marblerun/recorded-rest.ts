import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  verify,
} from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../harness/index.js';
import type { ClientIdentity } from './rest-client.js';

export const RECORDINGS = join(ROOT, '../shared/vectors/marblerun');
export const recordingsExist = existsSync(RECORDINGS);

export interface RecordedExchange {
  readonly n: number;
  readonly context: string;
  readonly label: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly clientCertificate: string | null;
    readonly body?: string | null;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

export interface RecordedDeployment {
  readonly recoveryKeys: readonly string[];
  readonly recoverySecretsHex: Readonly<Record<string, string>>;
  readonly rootCertificateSha256: Readonly<Record<'beforeManifest' | 'afterManifest' | 'atEnd', string>>;
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(RECORDINGS, name), 'utf8'));
export const transcript = (name: string) =>
  read(name) as {
    readonly exchanges: readonly RecordedExchange[];
    readonly deployments: Readonly<Record<string, RecordedDeployment>>;
  };

/** The test identities of the recordings. */
export class Identities {
  private readonly file = read('test-identities.json') as {
    users: Record<string, { certificatePem: string; privateKeyPem: string }>;
    recoveryKeys: Record<string, { publicKey: string; privateKey: string }>;
  };

  user(name: string): ClientIdentity {
    const { certificatePem, privateKeyPem } = this.file.users[name]!;
    return {
      cert: certificatePem,
      key: keyOf(privateKeyPem).export({ format: 'pem', type: 'pkcs8' }).toString(),
    };
  }

  recoveryKey(name: string): KeyObject {
    return keyOf(this.file.recoveryKeys[name]!.privateKey);
  }

  /** Whose signature of `data` it is; undefined: nobody's. */
  signer(data: Buffer, signature: Buffer): string | undefined {
    return Object.keys(this.file.recoveryKeys).find((name) =>
      verify('sha256', data, createPublicKey(this.file.recoveryKeys[name]!.publicKey), signature),
    );
  }

  decrypt(name: string, encrypted: Buffer): Buffer {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return privateDecrypt({ key: this.recoveryKey(name), padding, oaepHash: 'sha256' }, encrypted);
  }
}

function keyOf(text: string): KeyObject {
  return text.startsWith('der-pkcs8:')
    ? createPrivateKey({ key: Buffer.from(text.slice(10), 'base64'), format: 'der', type: 'pkcs8' })
    : createPrivateKey(text);
}

/**
 * A body without what is different on every run: certificates, signatures, generated values, times, the order of users. Everything else,
 * down to the order of members, stays.
 */
export function comparable(body: string): string {
  return body
    .replace(/-----BEGIN CERTIFICATE-----(?:\\n|[A-Za-z0-9+/=])+?-----END CERTIFICATE-----/g, '<certificate>')
    .replace(/("[Mm]anifestSignatureRootECDSA":)"[^"]+"/g, '$1<signature>')
    .replace(
      /("(?:RecoverySecrets|recoverySecrets)":)(\{[^}]*\})/g,
      (_all, name: string, secrets: string) =>
        name + secrets.replace(/:"[A-Za-z0-9+/]{512}"/g, ':<encrypted>'),
    )
    .replace(/("ephemeralPublicKey":)"[A-Za-z0-9+/=]{736}"/g, '$1<public key>')
    .replace(/(\\?"time\\?":\\?")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '$1<time>')
    .replace(/\{"Type":"[^"]+","Size":\d+,"Shared":true,"UserDefined":false,[^}]*\}/g, (secret) =>
      secret.replace(/:"[A-Za-z0-9+/=]{20,}"/g, ':<generated>'),
    )
    .replace(
      /\[((?:\\?"[A-Za-z0-9]+\\?",?)+)\]/g,
      (_all, list: string) => `[${list.split(',').sort().join(',')}]`,
    )
    .replace(
      /(accepted: )([a-z0-9, ]+)/g,
      (_all, text: string, list: string) => text + list.split(', ').sort().join(', '),
    );
}
