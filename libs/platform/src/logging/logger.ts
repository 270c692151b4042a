import type { LoggerService } from '@nestjs/common';
import { destination, pino, type Logger as Pino } from 'pino';

/** Members that hold key material, tokens or quotes wherever they occur; their values never reach a log line. */
const REDACTED = [
  'value',
  'secret',
  'password',
  'token',
  'authorization',
  'evidence',
  'quote',
  'seed',
  'privateKey',
  'release',
];

export function createPino(name: string, level: string): Pino {
  return pino(
    {
      name,
      level,
      redact: { paths: REDACTED.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination({ fd: 2, sync: true }),
  );
}

const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
  'NestMicroservice',
]);

/** Nest's logger on pino: one JSON line per message on stderr. */
export class ServiceLogger implements LoggerService {
  constructor(private readonly pino: Pino) {}

  private write(
    level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    const context = typeof rest.at(-1) === 'string' ? { context: rest.at(-1) } : {};
    if (message instanceof Error) this.pino[level]({ ...context, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.pino[level]({ ...context, ...message });
    else this.pino[level](context, String(message));
  }

  log(message: unknown, ...rest: unknown[]): void {
    // What Nest says while it wires itself up interests whoever debugs that.
    this.write(WIRING.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }
}
