/** A witness of transparency logs (C2SP tlog-witness): own key, durable memory, a small HTTP server. */
export { parseLogKeys, Witness, type Refusal } from './witness.js';
export { WitnessServer, type WitnessServerOptions } from './witness-server.js';
export { WitnessStore, type CosignedHead } from './witness-store.js';
export { openOrCreateWitnessKey, WitnessKeyError } from './witness-key.js';
