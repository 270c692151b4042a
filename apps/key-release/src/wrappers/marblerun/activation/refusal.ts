import { GRPC_STATUS } from '#platform';
import type { Condition } from '#policy';

/** Why a marble is not activated: what it is told by gRPC, and what the operator finds in the log. */
export class ActivationRefusal extends Error {
  override readonly name = 'ActivationRefusal';
  constructor(
    /** Status and message for the marble, in upstream's words. */
    readonly told: { readonly status: number; readonly message: string },
    readonly reason: { readonly code: string; readonly message: string },
    readonly conditions: readonly Condition[] = [],
    options?: ErrorOptions,
  ) {
    super(reason.message, options);
  }
}

/** Upstream's class of refusals for type, quote, platform and budget. `detail` is all that the marble learns. */
export const verificationFailed = (
  code: string,
  detail: string,
  message: string = detail,
  conditions: readonly Condition[] = [],
): ActivationRefusal =>
  new ActivationRefusal(
    { status: GRPC_STATUS.permissionDenied, message: `marble verification failed: ${detail}` },
    { code, message: message.slice(0, 1_000) },
    conditions,
  );

/** What upstream reports as its own failure: a bad request for a certificate, a template that cannot be rendered. */
export const activationFailed = (code: string, message: string, cause?: unknown): ActivationRefusal =>
  new ActivationRefusal(
    { status: GRPC_STATUS.internal, message },
    { code, message: message.slice(0, 1_000) },
    [],
    { cause },
  );
