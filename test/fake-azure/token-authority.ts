import {
  createPublicKey,
  createSign,
  createVerify,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
} from 'node:crypto';

export interface TokenClaims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly [claim: string]: unknown;
}

/** Signs and checks RS256 tokens: one for Entra, one for the cluster whose service accounts are federated. */
export class TokenAuthority {
  private readonly key: KeyObject;
  private readonly publicKey: KeyObject;
  private readonly kid = randomUUID();

  constructor() {
    this.key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    this.publicKey = createPublicKey(this.key);
  }

  sign(claims: TokenClaims): string {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: this.kid })}.${encode(claims)}`;
    return `${input}.${createSign('sha256').update(input).sign(this.key).toString('base64url')}`;
  }

  /** The claims of a token of this authority that has not expired; undefined for every other text. */
  verify(token: string): TokenClaims | undefined {
    const parts = token.split('.');
    const [header, payload, signature] = parts;
    if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
      return undefined;
    const check = createVerify('sha256').update(`${header}.${payload}`);
    if (!check.verify(this.publicKey, Buffer.from(signature, 'base64url'))) return undefined;
    try {
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as TokenClaims;
      return claims.exp > Date.now() / 1000 ? claims : undefined;
    } catch {
      return undefined;
    }
  }

  jwks(): { keys: unknown[] } {
    return {
      keys: [{ ...this.publicKey.export({ format: 'jwk' }), kid: this.kid, use: 'sig', alg: 'RS256' }],
    };
  }
}
