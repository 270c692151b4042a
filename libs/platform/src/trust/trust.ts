import { TrustFile, type TrustedJwk } from '#contracts';
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { configuredBy, readConfigurationFile } from '../config/configuration-file.js';

export const TRUST = Symbol('TRUST');

/** The trust file with its keys imported, by key id. */
export interface Trust {
  readonly verifiers: ReadonlyMap<string, KeyObject>;
  readonly emitters: ReadonlyMap<string, { readonly name: string; readonly key: KeyObject }>;
  readonly manifestSigners: ReadonlyMap<string, KeyObject>;
  readonly logs: readonly { readonly origin: string; readonly kid: string; readonly publicKey: KeyObject }[];
}

export function readTrustFile(path: string): Trust {
  return configuredBy('SIEGEL_TRUST_FILE', () => imported(readConfigurationFile(TrustFile, path)));
}

function imported(file: TrustFile): Trust {
  return {
    verifiers: new Map(file.verifiers.map((jwk) => [jwk.kid, key(jwk)])),
    emitters: new Map(file.emitters.map(({ name, jwk }) => [jwk.kid, { name, key: key(jwk) }])),
    manifestSigners: new Map(file.manifestSigners.map((jwk) => [jwk.kid, key(jwk)])),
    logs: file.logs.map(({ origin, jwk }) => ({ origin, kid: jwk.kid, publicKey: key(jwk) })),
  };
}

function key(jwk: TrustedJwk): KeyObject {
  return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
}
