import { asSiegelError, type SiegelError } from '#contracts';
import { SecretProblem } from './secrets/made-secret.js';

/** A refusal in the words of the CAS: `{"msg":[…]}`. */
export class SconeError extends Error {
  override readonly name = 'SconeError';
  constructor(
    readonly status: number,
    /** For the log. */
    readonly code: string,
    readonly messages: readonly string[],
    readonly session?: string,
  ) {
    super(messages.join('; ').slice(0, 1_000));
  }

  static notFound(session: string): SconeError {
    return new SconeError(404, 'SCONE_SESSION_UNKNOWN', ['Session not found'], session);
  }

  /** Text of the real service; its status is not documented. */
  static exists(session: string): SconeError {
    const message = 'Session already exists, please specify predecessor hash';
    return new SconeError(409, 'SCONE_PREDECESSOR_MISSING', [message], session);
  }

  static conflict(session: string): SconeError {
    const message = 'The predecessor is not the current version of the session';
    return new SconeError(409, 'SCONE_PREDECESSOR_STALE', [message], session);
  }

  static forbidden(session: string, right: string): SconeError {
    return new SconeError(403, 'SCONE_ACCESS_DENIED', [`Not permitted: ${right}`], session);
  }

  static notVisible(session: string, secret: string): SconeError {
    return new SconeError(
      404,
      'SCONE_VALUE_NOT_PUBLIC',
      [
        `Failed to read value '${secret}' of '/session=${session}' requested by a public client`,
        'Secret does not exist or is not visible for a public client',
      ],
      session,
    );
  }

  static invalid(messages: readonly string[], session?: string): SconeError {
    return new SconeError(400, 'SCONE_SESSION_INVALID', messages.slice(0, 32), session);
  }

  /** Everything that goes wrong in one form; what is no refusal stays an outage. */
  static of(thrown: unknown): SconeError {
    if (thrown instanceof SconeError) return thrown;
    if (thrown instanceof SecretProblem) return new SconeError(400, thrown.code, [thrown.message]);
    const error: SiegelError = asSiegelError(thrown);
    const { http } = error.entry;
    return new SconeError(http, error.code, [error.message.slice(0, 300)]);
  }
}
