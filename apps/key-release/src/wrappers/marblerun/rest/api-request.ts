import { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import type { Coordinator } from '../state/coordinator.js';
import type { Credentials } from '../users-roles/operators.js';
import type { Operators } from '../users-roles/operators.js';
import type { QuoteSigner } from './sign-quote.js';

/** One request, its body read. */
export interface ApiRequest extends Credentials {
  readonly method: string;
  /** Without query, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** Address of the client. */
  readonly source: string;
}

/** What the handlers work on. */
export interface ApiContext {
  readonly coordinator: Coordinator;
  readonly operators: Operators;
  readonly quoteSigner: QuoteSigner;
}

/** Gives what stands in `data` of the answer. @throws CoordinatorError, SiegelError */
export type Handler = (request: ApiRequest, context: ApiContext) => unknown;

/** The members of a request's JSON object, with Go's errors. @throws CoordinatorError REQUEST_INVALID */
export function readBody<const N extends string, T>(
  body: Buffer,
  structure: string,
  names: readonly N[],
  read: (
    reader: marblerun.FieldReader,
    fields: Partial<Record<N, marblerun.JsonNode>>,
    path: (name: N) => readonly string[],
  ) => T,
): T {
  return inGoWords(() => {
    const reader = new marblerun.FieldReader();
    const fields = reader.fields(marblerun.decodeGoJson(body), [structure], names);
    return read(reader, fields, (name) => [structure, name]);
  });
}

/** @throws CoordinatorError REQUEST_INVALID */
export function inGoWords<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (
      error instanceof marblerun.GoJsonError ||
      error instanceof marblerun.FieldError ||
      error instanceof marblerun.GoBase64Error
    )
      throw new CoordinatorError('REQUEST_INVALID', error.message);
    throw error;
  }
}

/** `{"manifest": base64}`, the form of all manifests in v2. */
export const manifestIn = ({ body }: ApiRequest, structure: string): Buffer =>
  readBody(
    body,
    structure,
    ['manifest'],
    (reader, { manifest }, path) => reader.bytes(manifest, path('manifest')) ?? Buffer.alloc(0),
  );
