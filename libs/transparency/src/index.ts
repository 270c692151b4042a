/**
 * A tamper-evident log in the formats of C2SP: RFC 6962 trees, tlog-tiles, signed-note checkpoints, inclusion and
 * consistency proofs, receipts (`.tlog-proof`), and the signed promise that this log gives before an entry is in a tree.
 */
export { TransparencyError, type TransparencyErrorCode } from './error.js';
export { decodeBase64, decodeBase64Exactly, parseDecimal } from './base64.js';
export {
  EMPTY_ROOT,
  HASH_BYTES,
  completeSubtrees,
  foldSubtrees,
  leafHash,
  nodeHash,
  type NodeCoordinate,
} from './hashing.js';
export { Frontier } from './frontier.js';
export { MemoryTree } from './memory-tree.js';
export {
  proveConsistency,
  proveInclusion,
  rootFromInclusion,
  sameHash,
  verifyConsistency,
  verifyInclusion,
  type HashSource,
} from './proofs.js';
export {
  TILE_HEIGHT,
  TILE_WIDTH,
  hashesAtTileLevel,
  parseTilePath,
  tileInTree,
  tilePath,
  tilesToWrite,
  type TileCoordinate,
} from './tile-paths.js';
export { MAX_ENTRY_BYTES, decodeEntryBundle, encodeEntryBundle } from './entry-bundles.js';
export { MemoryTileStorage, type TileStorage } from './tile-storage.js';
export { TileHashSource } from './tile-hashes.js';
export { extendTiles, type EntryReader, type TreeHead } from './tile-writer.js';
export {
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  ed25519FromRaw,
  ed25519Signer,
  ed25519Verifier,
  formatVerifierKey,
  isKeyName,
  noteKeyId,
  openNote,
  parseNote,
  parseVerifierKey,
  rawEd25519,
  signNote,
  signatureLine,
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  type SignedNote,
} from './signed-note.js';
export { cosign, cosignatureTime, cosignatureVerifier } from './cosignature.js';
export {
  formatCheckpoint,
  openCheckpoint,
  parseCheckpointText,
  peekCheckpoint,
  signCheckpoint,
  type Checkpoint,
  type VerifiedCheckpoint,
} from './checkpoint.js';
export {
  MAX_ADD_CHECKPOINT_BYTES,
  formatAddCheckpoint,
  judgeCheckpoint,
  parseAddCheckpoint,
  type AddCheckpoint,
  type WitnessVerdict,
} from './witness-protocol.js';
export {
  formatTlogProof,
  parseTlogProof,
  verifyTlogProof,
  type ProofTrust,
  type TlogProof,
} from './tlog-proof.js';
export {
  MAX_BATCH,
  PromiseVerifier,
  promiseFromBatch,
  promiseStatement,
  signBatch,
  verifyPromise,
  type BatchStatement,
  type EntryPromise,
  type PromiseKey,
  type SignedBatch,
} from './promise.js';
export { checkReceipt, type ReceiptTrust } from './receipt.js';
export { openSuccession, peekSuccession, signSuccession, type Succession } from './succession.js';
