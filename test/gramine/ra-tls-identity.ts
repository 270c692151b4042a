import { readFile, writeFile } from 'node:fs/promises';
import { hash } from 'node:crypto';
import {
  certificateWith,
  claimsMap,
  ecKeys,
  OIDS,
  pubkeyHash,
  rsaKeys,
  spkiOf,
  taggedEvidence,
  type Extension,
  type Keys,
} from '../ra-tls/certificate-builder.js';
import type { AttestationDevice } from './attestation-device.js';

/** What Gramine's library puts into its certificates: until 1.3, from 1.4 to 1.7, since 1.8. */
export type Generation = 'v1.3' | 'v1.7' | 'v1.9';

export interface RaTlsIdentity {
  readonly keys: Keys;
  readonly certificate: Buffer;
}

/** A new key, and a certificate over it with quotes from the device, as each run of the library makes them. */
export async function newIdentity(
  device: AttestationDevice,
  generation: Generation,
  claimed: Readonly<Record<string, string>> = {},
): Promise<RaTlsIdentity> {
  const keys = generation === 'v1.3' ? rsaKeys(3072) : ecKeys('P-384');
  return { keys, certificate: await certificateOver(device, generation, keys, keys, claimed) };
}

/** @param boundTo the key that the evidence is made over; another one than the certificate's is what an attacker has */
export async function certificateOver(
  device: AttestationDevice,
  generation: Generation,
  keys: Keys,
  boundTo: Keys = keys,
  claimed: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const spki = spkiOf(boundTo);
  const extensions: Extension[] = [{ oid: OIDS.gramine, value: await quoteOver(device, spki) }];
  if (generation === 'v1.9') {
    const claims = claimsMap(
      ['pubkey-hash', pubkeyHash(spki)],
      ...Object.entries(claimed).map(([name, value]) => [name, Buffer.from(value)] as const),
    );
    extensions.push({ oid: OIDS.dice, value: taggedEvidence(await quoteOver(device, claims), claims) });
  }
  return certificateWith({ keys, extensions });
}

async function quoteOver(device: AttestationDevice, hashed: Uint8Array): Promise<Buffer> {
  const reportData = Buffer.concat([hash('sha256', hashed, 'buffer'), Buffer.alloc(32)]);
  await writeFile(device.path('user_report_data'), reportData, { flag: 'r+' });
  return readFile(device.path('quote'));
}
