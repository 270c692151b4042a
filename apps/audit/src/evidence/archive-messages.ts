import type { ErrorCode } from '#contracts';
import type { ArchiveLimits, EvidenceInfo, KeptEvidence, Purged } from './archive.js';

export interface ArchiveData {
  path: string;
  /** The first one encrypts. */
  keys: Uint8Array[];
  limits: ArchiveLimits;
}

/** What can be asked of the archive's thread, with the answers' types. */
export interface ArchiveCalls {
  mark: { argument: undefined; result: number | undefined };
  commit: { argument: { evidence: KeptEvidence[]; mark: number }; result: undefined };
  known: { argument: string[]; result: string[] };
  info: { argument: string; result: EvidenceInfo | undefined };
  read: { argument: string; result: Uint8Array | undefined };
  erase: { argument: string; result: boolean };
  collateral: { argument: string; result: string | undefined };
  putCollateral: { argument: { id: string; bundle: string }; result: undefined };
  purge: { argument: undefined; result: Purged };
  close: { argument: undefined; result: undefined };
}

export type ArchiveRequest = {
  [Name in keyof ArchiveCalls]: { call: number; name: Name; argument: ArchiveCalls[Name]['argument'] };
}[keyof ArchiveCalls];

export type ArchiveReply =
  { call: number; result: unknown } | { call: number; failure: string; name: string; code?: ErrorCode };
