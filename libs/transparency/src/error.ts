/** Every way in which a log artefact can be refused. `code` is stable, the message is for people. */
export type TransparencyErrorCode =
  | 'BASE64_MALFORMED'
  | 'KEY_MALFORMED'
  | 'NOTE_MALFORMED'
  | 'NOTE_TOO_LARGE'
  | 'NOTE_UNVERIFIED'
  | 'NOTE_SIGNATURE_INVALID'
  | 'CHECKPOINT_MALFORMED'
  | 'CHECKPOINT_ORIGIN_MISMATCH'
  | 'INDEX_OUT_OF_RANGE'
  | 'PROOF_MALFORMED'
  | 'PROOF_INVALID'
  | 'TILE_PATH_INVALID'
  | 'TILE_MALFORMED'
  | 'TILE_MISSING'
  | 'TREE_INCONSISTENT'
  | 'ENTRY_TOO_LARGE'
  | 'BUNDLE_MALFORMED'
  | 'PROMISE_MALFORMED'
  | 'PROMISE_KEY_UNKNOWN'
  | 'PROMISE_INVALID'
  | 'PROMISE_BROKEN'
  | 'SUCCESSION_MALFORMED';

/** The only error that this library throws for bad input; a `TypeError` or `RangeError` would be a bug in it. */
export class TransparencyError extends Error {
  override readonly name = 'TransparencyError';

  constructor(
    readonly code: TransparencyErrorCode,
    message: string,
  ) {
    super(message);
  }
}
