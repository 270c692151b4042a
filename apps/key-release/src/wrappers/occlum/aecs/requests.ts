import { SiegelError } from '#contracts';
import { GRPC_STATUS, GrpcError } from '#platform';
import { verify } from 'node:crypto';
import { refusal } from '../../../pipeline/early-refusals.js';
import { readFields, textOf } from '../protobuf.js';
import { type ClientReport, readClientReport } from './client-report.js';

/** What both methods ask for in the end. */
export interface SecretRequest {
  readonly report: ClientReport;
  readonly service: string;
  readonly name: string;
  readonly nonce: string;
}

const MAX_NAME_BYTES = 256;
const MAX_NONCE_BYTES = 1_024;
const MAX_JSON_BYTES = 8 * 1_024;

/** `GetEnclaveSecretRequest`, as Occlum's init sends it. @throws SiegelError */
export function readGetEnclaveSecret(message: Buffer): SecretRequest {
  const fields = readFields(message);
  const report = readClientReport(fields.get(1));
  const request = {
    report,
    service: textOf(fields, 2, MAX_NAME_BYTES),
    name: textOf(fields, 3, MAX_NAME_BYTES),
    nonce: textOf(fields, 4, MAX_NONCE_BYTES),
  };
  return named(request);
}

/** `TaRemoteCallRequest` of AECS 2 with the function TaGetSecret, signed by the client's key. @throws SiegelError, GrpcError */
export function readTaGetSecret(message: Buffer): SecretRequest {
  const fields = readFields(message);
  const called = textOf(fields, 2, 64);
  if (called !== 'TaGetSecret')
    throw new GrpcError(GRPC_STATUS.unimplemented, 'of the functions, only TaGetSecret is served');
  const report = readClientReport(fields.get(1));
  const json = textOf(fields, 3, MAX_JSON_BYTES);
  const signature = Buffer.from(textOf(fields, 4, 1_024), 'base64');
  if (!verify('sha256', Buffer.from(json), report.key.keyObject, signature)) {
    const message = 'signature_b64 is not that of the key in the report over req_json';
    throw refusal('REQUEST_MALFORMED', 'AECS_SIGNATURE_INVALID', message);
  }
  return named({ report, ...readJson(json) });
}

/** JSON of a `TaGetSecretRequest`; protobuf writes names as in the .proto file or in camel case. */
function readJson(json: string): Omit<SecretRequest, 'report'> {
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    throw malformed('req_json is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw malformed('req_json is not a message');
  const members = body as Record<string, unknown>;
  const member = (snake: string, camel: string, most: number): string => {
    const value = Object.hasOwn(members, snake) ? members[snake] : members[camel];
    if (value === undefined) return '';
    if (typeof value !== 'string' || Buffer.byteLength(value) > most)
      throw malformed(`${snake} of req_json is not a text of up to ${most} bytes`);
    return value;
  };
  return {
    service: member('service_name', 'serviceName', MAX_NAME_BYTES),
    name: member('secret_name', 'secretName', MAX_NAME_BYTES),
    nonce: member('nonce', 'nonce', MAX_NONCE_BYTES),
  };
}

function named(request: SecretRequest): SecretRequest {
  if (request.name === '') throw malformed('the request names no secret');
  return request;
}

const malformed = (message: string): SiegelError =>
  refusal('REQUEST_MALFORMED', 'AECS_REQUEST_MALFORMED', message);
