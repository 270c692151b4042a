import { createPrivateKey, generateKeyPairSync, sign as cryptoSign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ecdsaDerToRaw } from './ecdsa-signature.js';
import type { PublicJwk } from './jwk.js';
import { createKeyFile, readKeyFile } from './key-file.js';
import { keyKindOf } from './key-kinds.js';
import { isPkiError, PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';

export type SignerAlg = 'ES256' | 'EdDSA';

/**
 * A key that signs, wherever it lives. `sign` gives the raw signature of 64 octets: r‖s for ES256 (over the
 * SHA-256 of `data`), Ed25519 for EdDSA. It may be asynchronous, because the key may be in a vault.
 */
export interface Signer {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly alg: SignerAlg;
  readonly publicKey: KeyObject;
  /** The public JWK with kid, alg and use. */
  jwk(): PublicJwk;
  sign(data: Uint8Array): Promise<Buffer> | Buffer;
}

/** A signer whose private key is in this process. */
export class LocalSigner implements Signer {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly #public: PublicKey;

  private constructor(
    readonly alg: SignerAlg,
    private readonly privateKey: KeyObject,
  ) {
    this.#public = PublicKey.fromKeyObject(privateKey);
    this.kid = this.#public.thumbprint;
    this.publicKey = this.#public.keyObject;
  }

  /** A new key in memory. */
  static generate(alg: SignerAlg = 'ES256'): LocalSigner {
    const { privateKey } =
      alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
    return new LocalSigner(alg, privateKey);
  }

  /** Uses an existing private key; KEY_NOT_USABLE unless it is P-256 or Ed25519. */
  static fromPrivateKey(privateKey: KeyObject): LocalSigner {
    const alg = privateKey.type === 'private' ? signerAlgOf(privateKey) : undefined;
    if (alg === undefined)
      throw new PkiError('KEY_NOT_USABLE', 'a signer needs a private P-256 or Ed25519 key');
    return new LocalSigner(alg, privateKey);
  }

  /** Reads one PEM PKCS#8 key (exactly that block); `source` is named in the KEY_FILE_INVALID error. */
  static fromPem(pem: string, source = 'PEM'): LocalSigner {
    if (
      !/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n?$/.test(
        pem.replaceAll('\r\n', '\n'),
      )
    ) {
      throw new PkiError('KEY_FILE_INVALID', `${source} is not one PEM PKCS#8 key`);
    }
    let privateKey: KeyObject;
    try {
      privateKey = createPrivateKey({ key: pem, format: 'pem' });
    } catch {
      // No cause: OpenSSL's message is of no help here and the stack of a parser may quote its input.
      throw new PkiError('KEY_FILE_INVALID', source);
    }
    if (signerAlgOf(privateKey) === undefined)
      throw new PkiError('KEY_FILE_INVALID', `${source} is not P-256 or Ed25519`);
    return LocalSigner.fromPrivateKey(privateKey);
  }

  /** Reads a key file; throws the KEY_FILE_… codes, KEY_FILE_PERMISSIONS when others than the owner can read it. */
  static async fromFile(path: string): Promise<LocalSigner> {
    return LocalSigner.fromPem(await readKeyFile(path), path);
  }

  /** Generates a key and stores it with mode 0600, atomically and durably; KEY_FILE_EXISTS rather than overwriting. */
  static async createFile(path: string, alg: SignerAlg = 'ES256'): Promise<LocalSigner> {
    const signer = LocalSigner.generate(alg);
    await createKeyFile(path, signer.toPem());
    return signer;
  }

  /** Reads the key file, or creates it at first start; of processes that start at once all get the same key. */
  static async openOrCreateFile(path: string, alg: SignerAlg = 'ES256'): Promise<LocalSigner> {
    try {
      return await LocalSigner.fromFile(path);
    } catch (error) {
      if (!isPkiError(error, 'KEY_FILE_NOT_FOUND')) throw error;
    }
    try {
      return await LocalSigner.createFile(path, alg);
    } catch (error) {
      if (!isPkiError(error, 'KEY_FILE_EXISTS')) throw error;
      return LocalSigner.fromFile(path);
    }
  }

  jwk(): PublicJwk {
    return { ...this.#public.jwk, kid: this.kid, alg: this.alg, use: 'sig' };
  }

  sign(data: Uint8Array): Buffer {
    if (this.alg === 'EdDSA') return cryptoSign(null, data, this.privateKey);
    const raw = ecdsaDerToRaw(cryptoSign('sha256', data, this.privateKey), 32);
    if (raw === undefined) throw new PkiError('SIGNER_FAILED', 'OpenSSL gave no ECDSA-Sig-Value');
    return raw;
  }

  /** PEM PKCS#8 of the private key, for storage only. */
  toPem(): string {
    return this.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }
}

function signerAlgOf(key: KeyObject): SignerAlg | undefined {
  const kind = keyKindOf(key);
  return kind === 'P-256' ? 'ES256' : kind === 'Ed25519' ? 'EdDSA' : undefined;
}

/** Signs and checks the shape of the answer: a remote signer may give DER, or nothing. Throws SIGNER_FAILED. */
export async function signRaw(signer: Signer, data: Uint8Array): Promise<Buffer> {
  let signature: Buffer;
  try {
    signature = await signer.sign(data);
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    throw new PkiError('SIGNER_FAILED', signer.kid, { cause });
  }
  if (signature.length !== 64)
    throw new PkiError('SIGNER_FAILED', `a signature of ${signature.length} octets`);
  return signature;
}
