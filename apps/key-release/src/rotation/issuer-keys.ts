import { PublicKey, type VerificationKey } from '#pki';
import { get } from 'node:https';
import { z } from 'zod';

const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 5_000;
const FRESH_MS = 3_600_000;
/** An unknown kid asks for the keys again no more often than that, whoever sends it. */
const AGAIN_MS = 30_000;
/** Nor is an issuer that failed asked again any sooner. */
const FAILED_MS = 5_000;

const KeySet = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().max(256).optional() })).max(64),
});

/** RS256 keys of a token issuer from its JWKS address, over HTTPS; kept for an hour. */
export class IssuerKeys {
  private keys = new Map<string, VerificationKey>();
  private fetchedAt = -Infinity;
  private failed: { readonly at: number; readonly error: Error } | undefined;
  private fetching: Promise<void> | undefined;

  constructor(
    private readonly url: string,
    /** PEM of an authority besides the system's. */
    private readonly ca: string | undefined,
  ) {}

  /** The key of a token's kid. @throws Error when the keys cannot be had and none is known */
  async find(kid: string): Promise<VerificationKey | undefined> {
    const now = Date.now();
    const age = now - this.fetchedAt;
    if (age > FRESH_MS || (!this.keys.has(kid) && age > AGAIN_MS)) {
      if (this.failed === undefined || now - this.failed.at > FAILED_MS)
        await (this.fetching ??= this.tryToFetch().finally(() => (this.fetching = undefined)));
      if (this.failed !== undefined && !this.keys.has(kid)) throw this.failed.error;
    }
    return this.keys.get(kid);
  }

  private async tryToFetch(): Promise<void> {
    try {
      await this.fetch();
      this.failed = undefined;
    } catch (error) {
      this.failed = { at: Date.now(), error: error as Error };
    }
  }

  private async fetch(): Promise<void> {
    const { keys } = KeySet.parse(JSON.parse(await this.read()));
    const usable = keys.flatMap((jwk): [string, VerificationKey][] => {
      if (jwk.kty !== 'RSA' || jwk.kid === undefined) return [];
      const key = PublicKey.fromJwk({ kty: 'RSA', n: jwk['n'], e: jwk['e'] });
      return [[jwk.kid, { alg: 'RS256', key: key.keyObject, kid: jwk.kid }]];
    });
    this.keys = new Map(usable);
    this.fetchedAt = Date.now();
  }

  private read(): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { timeout: TIMEOUT_MS, ...(this.ca === undefined ? {} : { ca: this.ca }) };
      const request = get(this.url, options, (response) => {
        if (response.statusCode !== 200) {
          response.resume();
          reject(new Error(`${this.url} answered ${response.statusCode}`));
          return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_BYTES) response.destroy(new Error('the key set is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      });
      request.on('timeout', () => request.destroy(new Error(`${this.url} did not answer in time`)));
      request.on('error', reject);
    });
  }
}
