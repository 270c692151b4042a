/** Evidence to be kept. */
export interface KeptEvidence {
  sha256: string;
  bytes: Uint8Array;
  /** Id of the collateral, as the event names it. */
  collateral: string | undefined;
}

export interface EvidenceInfo {
  sha256: string;
  size: number;
  /** Unix milliseconds. */
  stored: number;
  /** Whether the key that it was encrypted under is at hand. */
  readable: boolean;
  collateral: string | undefined;
  collateralHeld: boolean;
}

export interface ArchiveLimits {
  maxAgeMs: number;
  maxBytes: number;
}

/** What a look for what is too old or too much found. */
export interface Purged {
  removed: number;
  /** Bytes of evidence that stay. */
  bytes: number;
  /** Pieces that stay and whose key is not at hand. */
  unreadable: number;
}

/**
 * Kept evidence as every process on the log has it, by digest. What is older than the retention period is not given out, whether
 * it was removed already or not.
 */
export interface ArchiveReader {
  info(sha256: string): Promise<EvidenceInfo | undefined>;
  /** @throws SiegelError EVIDENCE_KEY_UNKNOWN, EVIDENCE_DAMAGED */
  read(sha256: string): Promise<Buffer | undefined>;
  collateral(id: string): Promise<string | undefined>;
  /** Removes one piece; whether there was any. */
  erase(sha256: string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * What only the process that sequences the log does, one at a time. Where there may be others, each of these throws FencedError, and
 * nothing was done, once another one has begun.
 */
export interface ArchiveWriter {
  /** Position up to which the log was looked through; undefined before the first time. */
  mark(): Promise<number | undefined>;
  /** Keeps evidence and remembers how far the log was looked through: the mark never without the evidence before it. */
  commit(evidence: readonly KeptEvidence[], mark: number): Promise<void>;
  /** Which of these are kept and can be read. */
  known(digests: readonly string[]): Promise<string[]>;
  putCollateral(id: string, bundle: string): Promise<void>;
  /** Removes what is too old, then the oldest of what is too much, then collateral that no evidence names. */
  purge(): Promise<Purged>;
}

/** Rows that one statement of a purge removes. */
export const PURGE_ROWS = 500;
/** Collateral that no evidence names is kept for that long: its evidence may be on its way. */
export const ORPHAN_MS = 3_600_000;
