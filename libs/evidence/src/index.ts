/**
 * The dialects around a quote: how report data binds a key or a challenge (`binding/`). Wrappers' certificate and
 * evidence formats get one folder per dialect beside it. Pure: no I/O, no Nest.
 */
export {
  BINDINGS,
  BINDING_CONVENTIONS,
  BindingError,
  isBindingConvention,
  REPORT_DATA_BYTES,
} from './binding/convention.js';
export type {
  BindingConvention,
  BindingErrorCode,
  BindingInput,
  BindingProperties,
} from './binding/convention.js';
export { checkBinding, expectedReportData } from './binding/report-data.js';
export type { BindingResult } from './binding/report-data.js';
export { MAX_RUNTIME_DATA_BYTES, readRuntimeData } from './binding/runtime-data.js';
export type { RuntimeDataContent } from './binding/runtime-data.js';
