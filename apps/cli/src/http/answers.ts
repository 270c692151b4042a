import { ERROR_CATALOGUE, isErrorCode } from '#contracts';
import { z } from 'zod';
import { CliError } from '../failure/cli-error.js';
import type { ApiAnswer } from './api-client.js';

/** Problem details as our services send them (RFC 9457); members that a newer service adds are kept. */
const Problem = z.looseObject({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
  title: z.string(),
  detail: z.string().optional(),
  remedy: z.string().optional(),
  status: z.number().optional(),
  requestId: z.string().optional(),
  problems: z.array(z.unknown()).optional(),
});

/** The error in an answer that is not 2xx. */
export function answerOf(service: string, answer: ApiAnswer): CliError {
  const problem = Problem.safeParse(answer.body);
  if (!problem.success) {
    return CliError.of(
      'SERVICE_ANSWER_INVALID',
      `${service} answered with HTTP status ${answer.status} and no explanation.`,
    );
  }
  const { code, title, detail, requestId, problems } = problem.data;
  const remedy =
    problem.data.remedy ?? (isErrorCode(code) ? ERROR_CATALOGUE[code].remedy : 'See docs/errors.md.');
  const message = detail === undefined || detail === title ? title : `${title} ${detail}`;
  return CliError.answered(code, message, remedy, {
    status: answer.status,
    service,
    ...(requestId === undefined ? {} : { requestId }),
    ...(problems === undefined ? {} : { problems }),
  });
}

const TLS_UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'UND_ERR_SOCKET',
]);
const TIMEOUT = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** What went wrong on the way to a service or back. */
export function transportFailure(error: unknown, service: string, baseUrl: string): unknown {
  if (error instanceof CliError) return error;
  // Errors of fetch and sockets may come from another realm: they are known by their members.
  if (typeof error !== 'object' || error === null) return error;
  const code = codeOf(error as SystemError);
  const at = `${service} at ${baseUrl}`;
  if ((error as SystemError).name === 'TimeoutError' || TIMEOUT.has(code)) {
    return CliError.of('SERVICE_TIMEOUT', `${at} did not answer in time.`, { cause: error });
  }
  if (TLS_UNTRUSTED.has(code)) {
    return CliError.of('SERVICE_TLS_UNTRUSTED', `The TLS certificate of ${at} is not acceptable (${code}).`, {
      cause: error,
    });
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return CliError.of('SERVICE_TLS_UNTRUSTED', `${at} does not speak TLS as expected (${code}).`, {
      cause: error,
      remedy: 'Check whether the address should begin with http or https.',
    });
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return CliError.of('SERVICE_NAME_UNRESOLVED', `The host name of ${at} is unknown.`, { cause: error });
  }
  if (UNREACHABLE.has(code)) {
    const why = code === 'ECONNREFUSED' ? 'nothing listens there' : 'the connection broke';
    return CliError.of('SERVICE_UNREACHABLE', `${at} cannot be reached: ${why}.`, { cause: error });
  }
  return error;
}

interface SystemError {
  readonly name?: string;
  readonly code?: unknown;
  readonly cause?: SystemError;
  /** Of an AggregateError: one for each address that was tried. */
  readonly errors?: readonly SystemError[];
}

/** The code of an error, of the first that it aggregates, or of its cause. */
function codeOf({ code, errors, cause }: SystemError): string {
  if (typeof code === 'string' && code !== '') return code;
  const inner = errors?.[0] ?? cause;
  return inner === undefined ? '' : codeOf(inner);
}
