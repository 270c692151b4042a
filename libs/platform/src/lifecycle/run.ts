import type { INestApplication } from '@nestjs/common';
import type { Logger as Pino } from 'pino';
import { ConfigurationError } from '../config/environment.js';
import { HealthRegistry } from '../health/health.js';

/** Time for work under way to end after SIGTERM, in milliseconds. */
const DRAIN_DEADLINE_MS = 10_000;

/**
 * Runs a service until SIGTERM or SIGINT, then drains: not ready, no new requests, those in work answered, connections closed.
 * A configuration error is one line that names the variable (exit 78, EX_CONFIG); an occupied port is named (exit 69, EX_UNAVAILABLE).
 */
export async function runService(
  name: string,
  pino: Pino,
  start: () => Promise<INestApplication>,
): Promise<void> {
  process.on('uncaughtException', (error) => {
    // State after an unforeseen exception is unknown: end, and let the supervisor start a clean process.
    pino.fatal({ err: error }, 'uncaught exception');
    process.exit(70);
  });
  process.on('unhandledRejection', (reason) => {
    pino.error({ err: reason }, 'unhandled rejection');
  });
  let app: INestApplication;
  try {
    app = await start();
  } catch (error) {
    process.exit(explain(name, error, pino));
  }
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    pino.info(`${signal}: draining`);
    setTimeout(() => {
      pino.warn('drain deadline passed');
      process.exit(75);
    }, DRAIN_DEADLINE_MS).unref();
    app.get(HealthRegistry, { strict: false }).drain();
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        pino.error({ err: error }, 'drain failed');
        process.exit(70);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // A supervisor that started us with a pipe as our stdin takes us down when it dies, however it dies.
  if (process.env['SIEGEL_PARENT_PIPE'] === 'true') {
    process.stdin.resume();
    process.stdin.on('end', () => stop('parent gone'));
  }
}

function explain(name: string, error: unknown, pino: Pino): number {
  if (error instanceof ConfigurationError) {
    for (const { variable, message } of error.problems)
      process.stderr.write(`${name}: configuration: ${variable} ${message}\n`);
    return 78;
  }
  const system = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (system.code === 'EADDRINUSE') {
    process.stderr.write(
      `${name}: port ${system.port} on ${system.address} is in use by another process; choose another port\n`,
    );
    return 69;
  }
  pino.fatal({ err: error }, 'start failed');
  return 70;
}
