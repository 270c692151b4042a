import { hash } from 'node:crypto';

/** The members of an event that the index knows; the log's entries were validated when they were appended. */
export interface IndexedEvent {
  id: string;
  tenant: string;
  type: string;
  outcome: string;
  time: string;
  emitter: { name: string };
  reason?: { code: string; message?: string };
  workload?: string;
  mrenclave?: string;
  tcbStatus?: string;
  session?: string;
}

/** An entry of the log, parsed. */
export interface ParsedEntry {
  event: IndexedEvent & Record<string, unknown>;
  kid: string;
  sig: string;
}

export const parseEntry = (entry: Uint8Array): ParsedEntry =>
  JSON.parse(Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).toString('utf8')) as ParsedEntry;

/** 48 bits that stand for an identifier in PostgreSQL's index. */
export const valueDigest = (value: string): number => hash('sha256', value, 'buffer').readUIntBE(0, 6);

/** 48 bits that stand for a leaf hash in PostgreSQL's index. */
export const leafDigest = (leaf: Buffer): number => leaf.readUIntBE(0, 6);
