import { SiegelError } from '#contracts';
import { isPkiError, verifyJwt } from '#pki';
import { ConfigurationError } from '#platform';
import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { IssuerKeys } from './issuer-keys.js';

const MIN_SECRET_CHARACTERS = 32;
const MAX_TOKEN_BYTES = 8 * 1024;

interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: IssuerKeys;
}

/**
 * Lets Event Grid in: by the secret in the query of the subscription's address, or by a token of Entra. With neither configured there
 * is no such endpoint.
 */
@Injectable()
export class HookGuard implements CanActivate {
  private readonly log = new Logger('event-grid');
  /** Digests of the accepted secrets. */
  private readonly secrets: readonly Buffer[];
  private readonly issuer: Issuer | undefined;

  constructor(@Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment) {
    this.secrets = readSecrets(environment.SIEGEL_EVENT_GRID_SECRET_FILE);
    this.issuer = readIssuer(environment);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.secrets.length === 0 && this.issuer === undefined) throw new SiegelError('NOT_FOUND');
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (this.hasSecret(request) || (await this.hasToken(request))) return true;
    throw new SiegelError('HOOK_UNAUTHENTICATED');
  }

  private hasSecret({ query }: FastifyRequest): boolean {
    const given = (query as Record<string, unknown> | undefined)?.['secret'];
    if (typeof given !== 'string' || given.length > 1_024) return false;
    const digest = hash('sha256', given, 'buffer');
    // All are compared, so that the time does not tell which one it was.
    return this.secrets.filter((secret) => timingSafeEqual(secret, digest)).length > 0;
  }

  private async hasToken({ headers }: FastifyRequest): Promise<boolean> {
    const token = /^Bearer ([A-Za-z0-9_.-]{1,8192})$/i.exec(headers.authorization ?? '')?.[1];
    if (this.issuer === undefined || token === undefined) return false;
    const { issuer, audience, keys } = this.issuer;
    try {
      const key = await keys.find(kidOf(token));
      if (key === undefined) return false;
      await verifyJwt(token, {
        keys: key,
        typ: 'JWT',
        issuer,
        audience,
        now: new Date(),
        maxBytes: MAX_TOKEN_BYTES,
      });
      return true;
    } catch (error) {
      this.log.warn(`a token was refused: ${isPkiError(error) ? error.code : (error as Error).message}`);
      return false;
    }
  }
}

/** The kid of a token's header, before anything of it is believed. */
function kidOf(token: string): string {
  const header: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
  const kid = (header as { kid?: unknown } | null)?.kid;
  return typeof kid === 'string' ? kid : '';
}

/** One secret per line, so that one can follow another while subscriptions are changed. */
function readSecrets(file: string | undefined): Buffer[] {
  if (file === undefined) return [];
  const secrets = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (secrets.length === 0 || secrets.some((secret) => secret.length < MIN_SECRET_CHARACTERS))
    throw wrong(
      'SIEGEL_EVENT_GRID_SECRET_FILE',
      `must hold secrets of at least ${MIN_SECRET_CHARACTERS} characters, one per line`,
    );
  return secrets.map((secret) => hash('sha256', secret, 'buffer'));
}

function readIssuer(environment: KeyReleaseEnvironment): Issuer | undefined {
  const {
    SIEGEL_EVENT_GRID_ISSUER: issuer,
    SIEGEL_EVENT_GRID_AUDIENCE: audience,
    SIEGEL_EVENT_GRID_JWKS_URL: url,
    SIEGEL_EVENT_GRID_CA_FILE: caFile,
  } = environment;
  if (issuer === undefined && audience === undefined && url === undefined) return undefined;
  if (issuer === undefined || audience === undefined || url === undefined)
    throw wrong('SIEGEL_EVENT_GRID_ISSUER', 'issuer, audience and JWKS address belong together');
  const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  return { issuer, audience, keys: new IssuerKeys(url, ca) };
}

const wrong = (variable: string, message: string) => new ConfigurationError([{ variable, message }]);
