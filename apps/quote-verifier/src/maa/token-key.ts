import 'reflect-metadata';
import { fromPem, PkiError, PublicKey, readKeyFile, toPem } from '#pki';
import { X509CertificateGenerator } from '@peculiar/x509';
import { createPrivateKey, type KeyObject, randomBytes, sign, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const YEARS_VALID = 20;
const BACKDATE_MS = 300_000;
const MAX_COMMON_NAME = 64;
const signWith = promisify(sign);

/** One entry of `GET /certs`. */
export interface TokenJwk {
  readonly kty: 'RSA';
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'RS256';
  readonly n: string;
  readonly e: string;
  /** Standard base64, leaf first (RFC 7517 §4.7). */
  readonly x5c: readonly string[];
}

/** An RSA key that signs tokens of one issuer, with the self-signed certificate by which clients find it. */
export class TokenKey {
  readonly jwk: TokenJwk;

  private constructor(
    private readonly privateKey: KeyObject,
    certificate: Buffer,
    readonly signsFrom: Date,
  ) {
    const key = PublicKey.fromKeyObject(privateKey);
    const { n, e } = key.jwk as { n?: string; e?: string };
    if (n === undefined || e === undefined)
      throw new PkiError('KEY_NOT_USABLE', 'tokens are signed with RSA');
    const x5c = [certificate.toString('base64')];
    this.jwk = { kty: 'RSA', kid: key.thumbprint, use: 'sig', alg: 'RS256', n, e, x5c };
  }

  get kid(): string {
    return this.jwk.kid;
  }

  /** RS256 (RFC 7518 §3.3), made in the thread pool: it takes a millisecond, which the event loop has not. */
  sign(input: string): Promise<Buffer> {
    return signWith('sha256', Buffer.from(input, 'latin1'), this.privateKey);
  }

  /** @throws PkiError KEY_FILE_… */
  static async read(path: string, signsFrom: Date): Promise<TokenKey> {
    const text = await readKeyFile(path);
    const [certificate] = fromPem('CERTIFICATE', text) ?? [];
    if (certificate === undefined) throw new PkiError('KEY_FILE_INVALID', `${path} holds no certificate`);
    return new TokenKey(createPrivateKey(text), certificate, signsFrom);
  }

  /** A new key with its certificate, `CN=<issuer>`, as PEM for {@link TokenKey.read}. */
  static async generate(issuer: string, now: Date, bits = 2_048): Promise<string> {
    const keys = await webcrypto.subtle.generateKey(
      { ...RSA, modulusLength: bits, publicExponent: new Uint8Array([1, 0, 1]) },
      true,
      ['sign', 'verify'],
    );
    const name = issuer.length <= MAX_COMMON_NAME ? issuer : new URL(issuer).hostname.slice(-MAX_COMMON_NAME);
    const notAfter = new Date(now);
    notAfter.setUTCFullYear(now.getUTCFullYear() + YEARS_VALID);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
      name: [{ CN: [name] }],
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter,
      signingAlgorithm: RSA,
      keys,
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return (
      toPem('PRIVATE KEY', new Uint8Array(pkcs8)) + toPem('CERTIFICATE', new Uint8Array(certificate.rawData))
    );
  }
}
