/** What a caller sees of one error, and what whoever reads it can do. */
export interface CatalogueEntry {
  readonly http: number;
  readonly grpc: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly title: string;
  readonly remedy: string;
}

/** Status codes of gRPC: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const GRPC = {
  INVALID: 3,
  TIMEOUT: 4,
  NOT_FOUND: 5,
  DENIED: 7,
  EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export const entry = (
  http: number,
  grpc: number,
  title: string,
  remedy: string,
  retryable = false,
): CatalogueEntry => ({ http, grpc, retryable, title, remedy });
