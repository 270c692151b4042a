import { get } from 'node:https';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';

const MAX_METADATA_BYTES = 256 * 1024;
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];

/**
 * Issuers of attestation tokens. Keys come from the issuer's own OIDC metadata over HTTPS, whose certificate must
 * chain to one of the roots that Key Vault accepts (there DigiCert's, here the configured ones); or they are pinned.
 */
export class AttestationAuthorities {
  private readonly pinned = new Map<string, JSONWebKeySet>();

  constructor(private readonly rootsPem: readonly string[] = []) {}

  pin(issuer: string, jwks: JSONWebKeySet): void {
    this.pinned.set(issuer, jwks);
  }

  /** The claims of a token that its issuer signed. @throws Error */
  async verify(token: string, at: Date): Promise<JWTPayload> {
    const { iss } = decodeJwt(token);
    if (iss === undefined) throw new Error('the token names no issuer');
    const jwks = this.pinned.get(iss) ?? (await this.fetchKeys(iss));
    const options = { issuer: iss, algorithms: ALGORITHMS, currentDate: at, requiredClaims: ['exp'] };
    return (await jwtVerify(token, createLocalJWKSet(jwks), options)).payload;
  }

  private async fetchKeys(issuer: string): Promise<JSONWebKeySet> {
    if (!issuer.startsWith('https://')) throw new Error(`issuer ${issuer} is not reachable over HTTPS`);
    const metadata = (await this.fetchJson(`${issuer}/.well-known/openid-configuration`)) as {
      jwks_uri?: unknown;
    };
    if (typeof metadata.jwks_uri !== 'string')
      throw new Error('the metadata of the issuer names no jwks_uri');
    return (await this.fetchJson(metadata.jwks_uri)) as JSONWebKeySet;
  }

  private fetchJson(url: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const options = this.rootsPem.length === 0 ? {} : { ca: [...this.rootsPem] };
      const request = get(
        url,
        { ...options, timeout: 5_000, headers: { accept: 'application/json' } },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_METADATA_BYTES) request.destroy(new Error(`${url}: answer too large`));
            chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode !== 200) return reject(new Error(`${url}: HTTP ${response.statusCode}`));
            try {
              resolve(JSON.parse(Buffer.concat(chunks).toString()));
            } catch {
              reject(new Error(`${url}: not JSON`));
            }
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error(`${url}: no answer`)));
      request.on('error', reject);
    });
  }
}
