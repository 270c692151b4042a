import { UNUSUAL_EVIDENCE, type AcceptedVariant } from './accepted-variants.js';
import { COLLATERAL_CHAIN_CASES } from './collateral-chains.js';
import { COLLATERAL_DOCUMENT_CASES } from './collateral-documents.js';
import type { BrokenCase } from './evidence.js';
import { PCK_CHAIN_CASES } from './pck-chain.js';
import { PCK_LOOKUP_CASES, PCK_LOOKUP_VARIANTS } from './pck-lookup.js';
import { QUOTE_FORMAT_CASES } from './quote-format.js';
import { QUOTE_SIGNATURE_CASES } from './quote-signatures.js';
import { QUOTING_ENCLAVE_CASES } from './quoting-enclave.js';
import { REVOCATION_LIST_CASES } from './revocation-lists.js';
import { SGX_EXTENSION_CASES } from './sgx-extensions.js';
import { TCB_DOCUMENT_CASES } from './tcb-documents.js';
import { TCB_LEVEL_CASES } from './tcb-levels.js';

/** Quotes, and machines behind them, that must be refused with valid collateral. */
export const BROKEN_QUOTES: BrokenCase[] = [
  ...QUOTE_FORMAT_CASES,
  ...QUOTE_SIGNATURE_CASES,
  ...QUOTING_ENCLAVE_CASES,
  ...TCB_LEVEL_CASES,
  ...PCK_CHAIN_CASES,
  ...SGX_EXTENSION_CASES,
  ...PCK_LOOKUP_CASES,
];

/** Collateral with which a valid quote must be refused. */
export const BROKEN_COLLATERAL: BrokenCase[] = [
  ...COLLATERAL_CHAIN_CASES,
  ...REVOCATION_LIST_CASES,
  ...TCB_DOCUMENT_CASES,
  ...COLLATERAL_DOCUMENT_CASES,
];

/** Evidence that looks unusual, but is valid: refusing it would refuse real machines. */
export const ACCEPTED_VARIANTS: AcceptedVariant[] = [...UNUSUAL_EVIDENCE, ...PCK_LOOKUP_VARIANTS];

export type { AcceptedVariant } from './accepted-variants.js';
export { STATUS_CASES, type StatusCase } from './status-cases.js';
export type { BrokenCase, Evidence, VerificationSettings } from './evidence.js';
