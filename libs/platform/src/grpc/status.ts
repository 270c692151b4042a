import { asSiegelError } from '#contracts';

/** Status codes of gRPC that servers here answer with (grpc/doc/statuscodes.md). */
export const GRPC_STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** How a call ended, as the caller is told. */
export interface GrpcOutcome {
  readonly status: number;
  /** For the caller; empty for OK. */
  readonly message: string;
}

/** A status that a method chose for itself. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The status for whatever a method threw: its own, or that of the catalogue, whose text is all that a caller learns. */
export function outcomeOf(error: unknown): GrpcOutcome {
  if (error instanceof GrpcError) return { status: error.status, message: error.message };
  const { code, entry } = asSiegelError(error);
  return { status: entry.grpc, message: `${code}: ${entry.title}` };
}

/** `grpc-message`: UTF-8 with everything outside of printable ASCII, and `%`, percent-encoded (grpc/doc/PROTOCOL-HTTP2.md). */
export function encodeMessage(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
