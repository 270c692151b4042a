/** MarbleRun's manifest: read as its coordinator reads it, checked in its words, linted beyond it. Pure. */
export { decodeGoJson, GoJsonError, parseGoJson } from './go-json.js';
export type { JsonMember, JsonNode } from './go-json.js';
export { decodeGoBase64, GoBase64Error } from './go-base64.js';
export { FieldError, FieldReader } from './field-reader.js';
export type { UnknownMember } from './field-reader.js';
export { MAX_MANIFEST_BYTES, ManifestSyntaxError, readManifest } from './read-manifest.js';
export type { ReadManifest } from './read-manifest.js';
export { checkManifest } from './check-manifest.js';
export type { Fault } from './check-manifest.js';
export { firstPemBlock, userCertificate } from './check-access.js';
export { lintMarbleRunManifest, MARBLERUN_TCB_STATUSES, strictFaults } from './lint-manifest.js';
export * from './templates/index.js';
export type * from './model.js';
