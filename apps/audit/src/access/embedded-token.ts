import { ConfigurationError } from '#platform';
import { Logger } from '@nestjs/common';
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const MIN_TOKEN_CHARACTERS = 32;

/** The bearer token of a deployment without an identity provider, compared by digest in constant time. */
export class EmbeddedToken {
  private readonly expected: Buffer;

  /** @throws ConfigurationError */
  constructor(path: string) {
    this.expected = hash('sha256', readOrCreateToken(path), 'buffer');
  }

  is(token: string): boolean {
    return timingSafeEqual(hash('sha256', token, 'buffer'), this.expected);
  }
}

/**
 * Reads the token, made at first start; the file is its only copy.
 * @throws ConfigurationError if the file is readable by others or holds too little
 */
export function readOrCreateToken(path: string): string {
  try {
    create(path);
    new Logger('access').log(`the token of the HTTP API was created in ${path}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused((error as Error).message);
  }
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) throw refused(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
  const token = readFileSync(path, 'utf8').trim();
  if (token.length < MIN_TOKEN_CHARACTERS)
    throw refused(`holds fewer than ${MIN_TOKEN_CHARACTERS} characters`);
  return token;
}

function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString('base64url')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const refused = (message: string) =>
  new ConfigurationError([{ variable: 'SIEGEL_AUDIT_TOKEN_FILE', message }]);
