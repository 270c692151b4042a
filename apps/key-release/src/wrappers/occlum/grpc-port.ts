import { asSiegelError } from '#contracts';
import {
  type GrpcOutcome,
  GRPC_STATUS,
  GrpcError,
  UnaryGrpcServer,
  type UnaryServerOptions,
} from '#platform';
import { Logger } from '@nestjs/common';
import { Counter, type Registry } from 'prom-client';

/** Messages beyond this are no request of Occlum's: an AECS client sends its collateral along, about 60 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1_024;
const MAX_IN_FLIGHT = 1_024;
const METRIC = 'siegel_occlum_calls_total';

/** A gRPC server whose calls are counted, and whose refusals are in the service's log. */
export function grpcPort(
  protocol: string,
  registry: Registry,
  options: Omit<UnaryServerOptions, 'maxMessageBytes' | 'maxInFlight' | 'observe'>,
): UnaryGrpcServer {
  const log = new Logger(protocol);
  const existing = registry.getSingleMetric(METRIC) as Counter | undefined;
  const calls =
    existing ??
    new Counter({
      name: METRIC,
      help: "Calls of Occlum's protocols by how they ended",
      labelNames: ['protocol', 'outcome'],
      registers: [registry],
    });
  const observe = (_path: string, { status, message }: GrpcOutcome, error?: unknown): void => {
    calls.inc({ protocol, outcome: outcomeOf(status) });
    if (error === undefined) return;
    if (error instanceof GrpcError) return log.warn(`status ${status}: ${message}`);
    const failure = asSiegelError(error);
    const { code, message: why } = failure.reason ?? failure;
    log.warn(`${failure.code}: ${code}: ${why}`);
    if (failure.code === 'INTERNAL') log.error(failure.cause ?? failure);
  };
  return new UnaryGrpcServer({
    ...options,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxInFlight: MAX_IN_FLIGHT,
    observe,
  });
}

const FAILURES: readonly number[] = [
  GRPC_STATUS.internal,
  GRPC_STATUS.unavailable,
  GRPC_STATUS.deadlineExceeded,
];

function outcomeOf(status: number): string {
  if (status === GRPC_STATUS.ok) return 'answered';
  return FAILURES.includes(status) ? 'failed' : 'refused';
}
