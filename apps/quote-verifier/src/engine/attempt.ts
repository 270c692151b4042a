import type { CollateralKey, PckQuery } from '#collateral';
import type { ErrorCode } from '#contracts';
import type { Refusal } from '../verdict/verdict-claims.js';

/** What became of one request; plain data, because it may come from a worker thread. */
export type Attempt =
  /** The finished reply: a signed verdict, for or against. */
  | { readonly kind: 'reply'; readonly body: string; readonly verified: boolean; readonly code: string }
  /** No verdict: the request is at fault, or the service. */
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly detail: string }
  /** The evidence chains to a trust anchor, but there is no collateral in force for its platform. */
  | { readonly kind: 'needs-collateral'; readonly key: CollateralKey }
  /** The quote names its PCK certificate instead of carrying it. */
  | { readonly kind: 'needs-pck'; readonly query: PckQuery };

/** What has been found out since the first attempt at a request. */
export interface Findings {
  /** PCK chain that a source gave, PEM. */
  readonly pckChain?: string;
  /** The evidence must be refused for this. */
  readonly refusal?: Refusal;
}
