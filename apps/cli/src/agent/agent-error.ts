/** Why a request of this API failed; the sidecar's statuses, our code beside its text. */
export type AgentErrorCode =
  | 'REQUEST_MALFORMED'
  | 'REQUEST_TOO_LARGE'
  | 'NOT_FOUND'
  | 'HOST_REFUSED'
  | 'ENDPOINT_REFUSED'
  | 'EVIDENCE_UNAVAILABLE'
  | 'ENDPOINT_UNREACHABLE'
  | 'ATTESTATION_REFUSED'
  | 'RELEASE_REFUSED'
  | 'RELEASE_UNTRUSTED'
  | 'OVERLOADED';

const STATUS: Readonly<Record<AgentErrorCode, number>> = {
  REQUEST_MALFORMED: 400,
  REQUEST_TOO_LARGE: 413,
  NOT_FOUND: 404,
  HOST_REFUSED: 403,
  ENDPOINT_REFUSED: 403,
  EVIDENCE_UNAVAILABLE: 500,
  ENDPOINT_UNREACHABLE: 500,
  ATTESTATION_REFUSED: 403,
  RELEASE_REFUSED: 403,
  RELEASE_UNTRUSTED: 500,
  OVERLOADED: 503,
};

export class AgentError extends Error {
  override readonly name = 'AgentError';
  constructor(
    readonly code: AgentErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get status(): number {
    return STATUS[this.code];
  }
}
