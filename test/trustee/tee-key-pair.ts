import crypto, {
  constants,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
  privateDecrypt,
  subtle,
} from 'node:crypto';

/** How a client of the protocol may ask for its resources (`tee_key_algorithm` of the attestation agent, and the old RSA1_5). */
export const ALGORITHMS = [
  'ECDH-ES+A256KW-P256',
  'ECDH-ES+A256KW-P521',
  'RSA-OAEP-256',
  'RSA1_5',
  'ML-KEM-768+A192KW',
] as const;
export type TeeAlgorithm = (typeof ALGORITHMS)[number];

/** Every member sorted, as serde_json writes its maps: with string values alone this is RFC 8785. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

interface Jwe {
  readonly protected: string;
  readonly encrypted_key: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
}
type Header = { alg: string; enc: string; epk?: crypto.JsonWebKey; ek?: string };

/** The key pair of a client's enclave, which opens responses as the real client does. */
export class TeeKeyPair {
  private constructor(
    readonly jwk: Readonly<Record<string, string>>,
    private readonly privateKey: KeyObject,
  ) {}

  static generate(algorithm: TeeAlgorithm = 'ECDH-ES+A256KW-P256'): TeeKeyPair {
    switch (algorithm) {
      case 'ECDH-ES+A256KW-P256':
      case 'ECDH-ES+A256KW-P521': {
        const namedCurve = algorithm.endsWith('P256') ? 'P-256' : 'P-521';
        return TeeKeyPair.of(
          generateKeyPairSync('ec', { namedCurve }).privateKey,
          algorithm.slice(0, algorithm.lastIndexOf('-')),
        );
      }
      case 'ML-KEM-768+A192KW':
        return TeeKeyPair.of(generateKeyPairSync('ml-kem-768').privateKey, algorithm);
      default:
        return TeeKeyPair.of(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, algorithm);
    }
  }

  static of(privateKey: KeyObject, alg: string): TeeKeyPair {
    const publicKey = createPublicKey(privateKey);
    if (alg === 'ML-KEM-768+A192KW') {
      const pub = publicKey.export({ type: 'spki', format: 'der' }).subarray(-1184).toString('base64url');
      return new TeeKeyPair({ kty: 'AKP', alg, pub }, privateKey);
    }
    const jwk = publicKey.export({ format: 'jwk' }) as Record<string, string>;
    return new TeeKeyPair({ ...jwk, alg }, privateKey);
  }

  /** Opens a response of protocol 0.2.0 and 0.4.0. The header is parsed and written again before it is authenticated. */
  async open(response: string): Promise<Buffer> {
    const jwe = JSON.parse(response) as Jwe;
    const { alg, enc, ...others } = JSON.parse(text(jwe.protected)) as Header & Record<string, unknown>;
    const members = canonical(others).slice(1, -1);
    const again = `{"alg":${JSON.stringify(alg)},"enc":${JSON.stringify(enc)}${members === '' ? '' : `,${members}`}}`;
    const cek = await this.contentKey({ alg, enc, ...others } as Header, bytes(jwe.encrypted_key));
    const aad = Buffer.from(Buffer.from(again).toString('base64url'));
    return decrypt(cek, bytes(jwe.iv), bytes(jwe.ciphertext), bytes(jwe.tag), aad);
  }

  /** Opens a response of protocol 0.1.1: plain header, tag behind the ciphertext, nothing authenticated besides. */
  async openLegacy(response: string): Promise<Buffer> {
    const jwe = JSON.parse(response) as Jwe;
    if (jwe.tag !== '') throw new Error('a tag of its own');
    const header = JSON.parse(jwe.protected) as Header;
    if (jwe.protected !== '{"alg":"RSA1_5","enc":"A256GCM"}') throw new Error(`header ${jwe.protected}`);
    const sealed = bytes(jwe.ciphertext);
    const cek = await this.contentKey(header, bytes(jwe.encrypted_key));
    return decrypt(cek, bytes(jwe.iv), sealed.subarray(0, -16), sealed.subarray(-16));
  }

  private async contentKey({ alg, enc, epk, ek }: Header, wrapped: Buffer): Promise<Buffer> {
    if (alg !== this.jwk['alg'] || enc !== 'A256GCM') throw new Error(`${alg}, ${enc}`);
    switch (alg) {
      case 'ECDH-ES+A256KW': {
        const publicKey = createPublicKey({ key: epk!, format: 'jwk' });
        const shared = diffieHellman({ privateKey: this.privateKey, publicKey });
        return unwrap('id-aes256-wrap', concatKdf(shared, alg), wrapped);
      }
      case 'RSA-OAEP-256':
        return privateDecrypt(
          { key: this.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
          wrapped,
        );
      case 'RSA1_5':
        return privateDecrypt({ key: this.privateKey, padding: constants.RSA_PKCS1_PADDING }, wrapped);
      default:
        return unwrap('id-aes192-wrap', await this.kemKey(alg, bytes(ek!)), wrapped);
    }
  }

  private async kemKey(alg: string, ciphertext: Buffer): Promise<Buffer> {
    const { decapsulate } = crypto as unknown as { decapsulate: (key: KeyObject, sealed: Buffer) => Buffer };
    const shared = decapsulate(this.privateKey, ciphertext);
    const key = await subtle.importKey('raw-secret' as 'raw', shared, { name: 'KMAC256' }, false, ['sign']);
    const input = Buffer.concat([lengthOf(alg.length), Buffer.from(alg), lengthOf(192)]);
    return Buffer.from(
      await subtle.sign({ name: 'KMAC256', outputLength: 192 } as { name: string }, key, input),
    );
  }
}

/** RFC 7518 §4.6.2 for a key-wrapping key: AlgorithmID is `alg`, no party information, 256 bits. */
function concatKdf(shared: Buffer, alg: string): Buffer {
  const empty = lengthOf(0);
  const id = Buffer.concat([lengthOf(alg.length), Buffer.from(alg)]);
  return hash('sha256', Buffer.concat([lengthOf(1), shared, id, empty, empty, lengthOf(256)]), 'buffer');
}

function unwrap(cipher: string, kek: Buffer, wrapped: Buffer): Buffer {
  const decipher = createDecipheriv(cipher, kek, Buffer.alloc(8, 0xa6));
  return Buffer.concat([decipher.update(wrapped), decipher.final()]);
}

function decrypt(key: Buffer, iv: Buffer, ciphertext: Buffer, tag: Buffer, aad?: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  if (aad) decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

function lengthOf(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
const bytes = (base64url: string): Buffer => Buffer.from(base64url, 'base64url');
const text = (base64url: string): string => bytes(base64url).toString('utf8');
