import type { AttestRequest } from '#contracts';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cbor, cborBytes, cborText, certificateWith, type Keys } from '../ra-tls/certificate-builder.js';

/** How an enclave binds its key in one convention, and what it then sends besides quote and key. */
export interface Bound {
  readonly keys: Keys;
  readonly reportData: Buffer;
  readonly carried: Partial<AttestRequest>;
}

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const sha512 = (bytes: Uint8Array): Buffer => createHash('sha512').update(bytes).digest();
const spki = ({ publicKey }: { publicKey: KeyObject }): Buffer =>
  publicKey.export({ format: 'der', type: 'spki' });
const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(64 - bytes.length)]);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const ec = (): Keys => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** Every convention that binds a key by what a request carries, as an enclave would do it. */
export const BOUND: Readonly<Record<string, () => Bound>> = {
  'sha256-spki': () => {
    const keys = ec();
    return { keys, reportData: padded(sha256(spki(keys))), carried: {} };
  },
  'sha512-spki': () => {
    const keys = ec();
    return { keys, reportData: sha512(spki(keys)), carried: {} };
  },
  'sha512-cert': () => {
    const keys = ec();
    const certificate = certificateWith({ keys, extensions: [] });
    return { keys, reportData: sha512(certificate), carried: { certificate: text(certificate) } };
  },
  'sha512-rsa-der': () => {
    const pkcs1 = rsa.publicKey.export({ format: 'der', type: 'pkcs1' });
    return { keys: rsa, reportData: sha512(pkcs1), carried: {} };
  },
  'sha256-runtime-data': () => {
    const keys = ec();
    const data = Buffer.from(JSON.stringify({ keys: [keys.publicKey.export({ format: 'jwk' })] }));
    return { keys, reportData: padded(sha256(data)), carried: { runtimeData: text(data) } };
  },
  'fortanix-config': () => {
    const keys = ec();
    const id = Buffer.alloc(32, 7);
    const reportData = Buffer.concat([sha256(Buffer.of(1), sha256(spki(keys)), id), id]);
    return { keys, reportData, carried: { configId: text(id) } };
  },
  'dice-claims': () => {
    const keys = ec();
    const hashed = Buffer.concat([cbor(4, 2), cbor(0, 1), cborBytes(sha256(spki(keys)))]);
    const claims = Buffer.concat([cbor(5, 1), cborText('pubkey-hash'), cborBytes(hashed)]);
    return { keys, reportData: padded(sha256(claims)), carried: { claims: text(claims) } };
  },
};
