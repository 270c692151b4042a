import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createHmac } from 'node:crypto';
import type { TestCa } from './test-certificates.js';

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export const AUDIENCE = 'api://siegel-audit';
export const DIRECTORY = '11111111-2222-3333-4444-555555555555';

/**
 * An OpenID Connect issuer over HTTPS on the loopback, whose access tokens have the shape of Entra's version 2.0. Its keys can be rotated,
 * and it can misbehave.
 */
export class OidcIssuer {
  private server: Server | undefined;
  private signing!: SigningKey;
  private published: JWK[] = [];
  /** How often the keys were asked for. */
  keyRequests = 0;
  metadataRequests = 0;
  /** What metadata and keys are answered with instead. */
  failure: { status: number; body?: string } | undefined;
  /** `issuer` of the metadata, where it is to lie. */
  claimedIssuer: string | undefined;
  origin = '';

  static async start(ca: TestCa): Promise<OidcIssuer> {
    const issuer = new OidcIssuer();
    const { certPem, keyPem } = await ca.server();
    await issuer.rotate();
    issuer.server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
      const { status, body } = issuer.answer(request.url ?? '');
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => issuer.server!.listen(0, '127.0.0.1', resolve));
    issuer.origin = `https://127.0.0.1:${(issuer.server.address() as AddressInfo).port}`;
    return issuer;
  }

  get issuer(): string {
    return `${this.origin}/${DIRECTORY}/v2.0`;
  }

  get jwksUri(): string {
    return `${this.origin}/${DIRECTORY}/discovery/v2.0/keys`;
  }

  /** A new key signs from now on; `keep` says whether the old ones stay published. */
  async rotate({ keep = true } = {}): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const kid = `key-${this.published.length + 1}-${Math.floor(Math.random() * 1e9)}`;
    this.signing = { kid, privateKey, publicKey };
    const jwk = { ...(await exportJWK(publicKey)), kid, use: 'sig' };
    this.published = keep ? [...this.published, jwk] : [jwk];
  }

  /** An access token; `claims` replace the usual ones, and undefined removes one. */
  async token(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    return new SignJWT(this.claims(claims))
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: this.signing.kid, ...header })
      .sign(this.signing.privateKey);
  }

  claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1_000);
    const all: Record<string, unknown> = {
      aud: AUDIENCE,
      iss: this.issuer,
      iat: now - 60,
      nbf: now - 60,
      exp: now + 3_600,
      azp: 'client-1',
      oid: 'object-1',
      sub: 'subject-1',
      tid: DIRECTORY,
      roles: ['auditor'],
      ver: '2.0',
      ...changes,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  /** An unsecured token (RFC 7519 section 6). */
  unsigned(): string {
    return `${part({ alg: 'none', typ: 'JWT', kid: this.signing.kid })}.${part(this.claims())}.`;
  }

  /** The classic confusion: HMAC with the text of the public key as the secret. */
  async confused(): Promise<string> {
    const secret = await exportSPKI(this.signing.publicKey);
    const input = `${part({ alg: 'HS256', typ: 'JWT', kid: this.signing.kid })}.${part(this.claims())}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  private answer(url: string): { status: number; body: string } {
    if (url.endsWith('/.well-known/openid-configuration')) this.metadataRequests++;
    if (url.endsWith('/keys')) this.keyRequests++;
    if (this.failure) return { status: this.failure.status, body: this.failure.body ?? '{}' };
    if (url === `/${DIRECTORY}/v2.0/.well-known/openid-configuration`) {
      return {
        status: 200,
        body: JSON.stringify({ issuer: this.claimedIssuer ?? this.issuer, jwks_uri: this.jwksUri }),
      };
    }
    if (url === `/${DIRECTORY}/discovery/v2.0/keys`)
      return { status: 200, body: JSON.stringify({ keys: this.published }) };
    return { status: 404, body: '{}' };
  }
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
