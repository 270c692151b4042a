import { foldObjectName } from '../object-names.js';
import type { StoredRecord, VaultContent } from './vault-file.js';

/** The records of a vault by name and version. */
export class RecordIndex {
  readonly vaultId: string;
  readonly generation: number;
  private readonly byName = new Map<string, StoredRecord[]>();
  private highest = 0;

  constructor(content: VaultContent) {
    this.vaultId = content.vaultId;
    this.generation = content.generation;
    for (const record of content.records) this.put(record);
  }

  /** A copy to change; it counts as the next generation. */
  copy(): RecordIndex {
    return new RecordIndex({ ...this.content(), generation: this.generation + 1 });
  }

  content(): VaultContent {
    const records = [...this.byName.values()].flat().sort((a, b) => a.sequence - b.sequence);
    return { vaultId: this.vaultId, generation: this.generation, records };
  }

  /** The stated version, or the latest. */
  find(name: string, version?: string): StoredRecord | undefined {
    const records = this.byName.get(foldObjectName(name));
    return version === undefined ? records?.at(-1) : records?.find((record) => record.version === version);
  }

  /** Oldest first. */
  versions(name: string): readonly StoredRecord[] {
    return [...(this.byName.get(foldObjectName(name)) ?? [])];
  }

  latest(): readonly StoredRecord[] {
    return [...this.byName.values()].flatMap((records) => records.slice(-1));
  }

  nextSequence(): number {
    return this.highest + 1;
  }

  /** Adds a version, or replaces the record of the same version. */
  put(record: StoredRecord): void {
    const key = foldObjectName(record.name);
    const records = this.byName.get(key) ?? [];
    const position = records.findIndex((other) => other.version === record.version);
    if (position >= 0) records[position] = record;
    else records.push(record);
    records.sort((a, b) => a.sequence - b.sequence);
    this.byName.set(key, records);
    this.highest = Math.max(this.highest, record.sequence);
  }

  remove(name: string): void {
    this.byName.delete(foldObjectName(name));
  }
}
