import { RevocationRecord } from '#contracts';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The revoked sessions that this replica has heard of, in its own state folder: a broker that withholds them after a restart does not
 * bring a session back. One JSON object per line.
 *
 * Durability: when `add` returns, the record is on disk (append, fsync).
 */
export class RevocationFile {
  private readonly file: string;

  constructor(directory: string) {
    this.file = join(directory, 'revoked-sessions.jsonl');
  }

  /** Everything that still counts; what has served its time is dropped from the file. */
  load(now: number): RevocationRecord[] {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const lines = text.split('\n');
    // What follows the last line end was being written when the machine stopped, and nobody was told that it was done.
    lines.pop();
    const all = lines.map((line, at) => this.parse(line, at + 1));
    const alive = all.filter(({ until }) => Date.parse(until) > now);
    if (alive.length < all.length || !text.endsWith('\n')) this.replace(alive);
    return alive;
  }

  add(record: RevocationRecord): void {
    write(this.file, 'a', [record]);
  }

  /** A line that is unreadable must not read as "not revoked". */
  private parse(line: string, number: number): RevocationRecord {
    try {
      return RevocationRecord.parse(JSON.parse(line));
    } catch (cause) {
      throw new Error(
        `${this.file}: line ${number} is damaged; restore the file or remove that line knowingly`,
        {
          cause,
        },
      );
    }
  }

  private replace(records: readonly RevocationRecord[]): void {
    const temporary = `${this.file}.new`;
    write(temporary, 'w', records);
    renameSync(temporary, this.file);
    const folder = openSync(dirname(this.file), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

function write(file: string, flag: 'a' | 'w', records: readonly RevocationRecord[]): void {
  const descriptor = openSync(file, flag, 0o600);
  try {
    writeSync(descriptor, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
