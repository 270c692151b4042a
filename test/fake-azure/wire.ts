import { randomBytes } from 'node:crypto';

/** A request as the handlers see it, after authentication. */
export interface VaultRequest {
  readonly method: string;
  /** `https://<vault>.vault.azure.net:<port>` as the client addressed it; ids and links are built on it. */
  readonly origin: string;
  readonly vault: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  /** Captures of the route's pattern. */
  readonly params: Readonly<Record<string, string>>;
}

export interface WireResponse {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  /** The permission that the principal needs, as in access policies: `secrets/get`. Also the name in the request log. */
  readonly action: string;
  readonly handle: (request: VaultRequest) => WireResponse | Promise<WireResponse>;
}

export type JsonObject = Record<string, unknown>;

/** An error as Key Vault words it. */
export class KeyVaultError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly innerCode?: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  response(): WireResponse {
    const inner = this.innerCode === undefined ? {} : { innererror: { code: this.innerCode } };
    return {
      status: this.status,
      headers: this.headers,
      body: { error: { code: this.code, message: this.message, ...inner } },
    };
  }
}

export const badParameter = (message: string): KeyVaultError =>
  new KeyVaultError(400, 'BadParameter', message);

export const newVersion = (): string => randomBytes(16).toString('hex');

export const ok = (body: unknown): WireResponse => ({ status: 200, body });

export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badParameter(`Property ${what} is not an object.`);
  return value as JsonObject;
}

export function stringOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw badParameter(`Property ${what} is required and must be a string.`);
  return value;
}

export const optionalString = (value: unknown, what: string): string | undefined =>
  value === undefined || value === null ? undefined : stringOf(value, what);

export function bytesOf(value: unknown, what: string): Buffer {
  const text = stringOf(value, what);
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(text)) throw badParameter(`Property ${what} is not base64url.`);
  return Buffer.from(text, 'base64url');
}

/** The names of routes: `name` and `version` as Key Vault allows them. */
export const NAME = '(?<name>[0-9A-Za-z-]{1,127})';
export const VERSION = '(?<version>[0-9A-Fa-f]{32})';

export function route(method: string, path: string, action: string, handle: Route['handle']): Route {
  const source = path.replaceAll('{name}', NAME).replaceAll('{version}', VERSION);
  // The SDK writes "latest" as an empty version: the path then ends in a slash.
  return { method, action, handle, pattern: new RegExp(`^${source}/?$`) };
}
