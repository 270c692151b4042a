import { goJsonText } from './go-json-text.js';

/** A response of the API, whole. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;
/** Of Go's http.Error, which upstream's errors go through. */
const ERROR_TYPE = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
} as const;

/** JSend, as upstream writes it (reference §3): `message` is left out where it is empty, `data` never. */
const envelope = (status: 'success' | 'fail' | 'error', data: unknown, message?: string): string =>
  `${goJsonText({ status, data, message: message === '' ? undefined : message })}\n`;

export const success = (data: unknown): ApiResponse => ({
  status: 200,
  headers: JSON_TYPE,
  body: envelope('success', data),
});

/** The client's fault, in v2. */
export const failure = (status: number, message: string, data: unknown = null): ApiResponse => ({
  status,
  headers: JSON_TYPE,
  body: envelope('fail', data, message),
});

export const error = (status: number, message?: string): ApiResponse => ({
  status,
  headers: ERROR_TYPE,
  body: envelope('error', null, message),
});

/** Makes MarbleRun's client fall back to v1; any other status would not. */
export const METHOD_NOT_ALLOWED: ApiResponse = error(405);
