import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from 'jose';
import { Agent, request } from 'undici';
import { z } from 'zod';

/** Largest metadata or key set that is read, in bytes. */
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 64;
const TIMEOUT_MS = 5_000;
/** An unknown kid asks for the keys again no more often than that. */
const COOLDOWN_MS = 30_000;
/** After a failure the issuer is left alone for that long. */
const RETRY_MS = 5_000;

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https$/ }).max(2_048) });

/** The issuer cannot be asked for its keys: whether a token is good cannot be told now. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable';
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  readonly jwksUri?: string | undefined;
  readonly metadataUri?: string | undefined;
  /** PEM of an authority instead of the system's. */
  readonly ca?: string | undefined;
  readonly maxAgeMs: number;
  readonly cooldownMs?: number;
}

/**
 * The keys of one issuer, over HTTPS: where they are is configured or discovered (OpenID Connect Discovery 1.0 section 4), and they
 * are fetched anew when they are old or a token names one that is not known, at most once per cool-down. One bounded key set is kept.
 */
export class IssuerKeys {
  private readonly agent: Agent;
  private keys: JWTVerifyGetKey | undefined;
  private discovering: Promise<JWTVerifyGetKey> | undefined;
  private notBefore = 0;
  private lastFailure = 'not asked yet';

  constructor(private readonly options: IssuerKeysOptions) {
    this.agent = new Agent({
      connect: { timeout: TIMEOUT_MS, ...(options.ca === undefined ? {} : { ca: options.ca }) },
      connections: 2,
    });
    if (options.jwksUri !== undefined) this.keys = this.keySet(options.jwksUri);
  }

  /** For jose's `jwtVerify`. @throws IssuerUnavailable; jose's JWKSNoMatchingKey */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const keys = this.keys ?? (await this.discovered());
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
        throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw new IssuerUnavailable(`the keys of ${this.options.issuer} cannot be had: ${reasonOf(error)}`);
    }
  };

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async discovered(): Promise<JWTVerifyGetKey> {
    if (Date.now() < this.notBefore)
      throw new IssuerUnavailable(`the metadata of ${this.options.issuer}: ${this.lastFailure}`);
    this.discovering ??= this.discover().finally(() => (this.discovering = undefined));
    return this.discovering;
  }

  private async discover(): Promise<JWTVerifyGetKey> {
    const { issuer, metadataUri } = this.options;
    const url = metadataUri ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    try {
      const { status, text } = await this.get(url);
      if (status !== 200) throw new Error(`status ${status}`);
      const metadata = Metadata.parse(JSON.parse(text));
      // Section 4.3: it must be exactly the issuer that was asked for, or one could speak for another.
      if (metadata.issuer !== issuer) throw new Error(`it is that of ${metadata.issuer.slice(0, 200)}`);
      this.keys = this.keySet(metadata.jwks_uri);
      return this.keys;
    } catch (error) {
      const { message } = this.failed(error);
      throw new IssuerUnavailable(`the metadata of ${issuer} at ${url}: ${message}`);
    }
  }

  private keySet(uri: string): JWTVerifyGetKey {
    return createRemoteJWKSet(new URL(uri), {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: this.options.cooldownMs ?? COOLDOWN_MS,
      cacheMaxAge: this.options.maxAgeMs,
      [customFetch]: this.fetchKeys,
    });
  }

  /** jose counts its cool-down from the last success: an issuer that is down would be asked for every token. */
  private readonly fetchKeys: FetchImplementation = async (url) => {
    if (Date.now() < this.notBefore) throw new Error(this.lastFailure);
    try {
      const { status, text } = await this.get(url);
      if (status !== 200) throw new Error(`status ${status}`);
      const keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys;
      if (!Array.isArray(keys) || keys.length > MAX_KEYS)
        throw new Error(`a key set is a list of at most ${MAX_KEYS} keys`);
      return new Response(text, { status, headers: { 'content-type': 'application/json' } });
    } catch (error) {
      throw this.failed(error);
    }
  };

  private failed(error: unknown): Error {
    this.notBefore = Date.now() + Math.min(this.options.cooldownMs ?? COOLDOWN_MS, RETRY_MS);
    this.lastFailure = reasonOf(error);
    return new Error(this.lastFailure, { cause: error });
  }

  private async get(url: string): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(url, {
      dispatcher: this.agent,
      headers: { accept: 'application/json' },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Error(`an answer has more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return { status: statusCode, text: Buffer.concat(chunks).toString('utf8') };
  }
}

const reasonOf = (error: unknown): string => {
  const { message, cause, code } = error as Error & { code?: string };
  return (message || (cause as Error | undefined)?.message || code || 'no answer').slice(0, 300);
};
