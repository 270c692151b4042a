/** Where collateral comes from: Intel's PCS, a PCCS, Azure's THIM, files. What they give is not verified here. */
export { keyText, type CollateralKey, type PckCa } from './collateral-key.js';
export { editionQuery, type Edition, type UpdateChannel } from './edition.js';
export { AZURE_HOST_AGENT, parseSourceAddress, sourceAddress } from './source-address.js';
export { pckQueryOf } from './pck-query.js';
export type { ClientOptions } from './http/bounded-client.js';
export {
  SourceError,
  type CollateralSource,
  type PckQuery,
  type SourceFailureKind,
} from './sources/collateral-source.js';
export { BundleSource, type BundleOptions } from './sources/bundle/bundle-source.js';
export { PccsSource, type PccsOptions } from './sources/pccs/pccs-source.js';
export { PcsSource, type PcsOptions } from './sources/pcs/pcs-source.js';
export { ThimSource, type ThimOptions } from './sources/thim/thim-source.js';
