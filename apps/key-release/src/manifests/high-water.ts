import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const Marks = z.record(z.string(), z.object({ version: z.number().int(), digest: z.string() }));

/**
 * The newest manifest version that this replica has seen per tenant, kept in its own state folder: a broker that serves an older,
 * validly signed record after a restart is noticed.
 *
 * Durability: when `raise` returns, the mark is on disk (write, fsync, rename, fsync of the folder).
 */
export class HighWaterMarks {
  private readonly file: string;
  private marks: z.infer<typeof Marks>;

  constructor(directory: string) {
    this.file = join(directory, 'manifest-versions.json');
    this.marks = this.read();
  }

  of(tenant: string): { version: number; digest: string } | undefined {
    return this.marks[tenant];
  }

  raise(tenant: string, version: number, digest: string): void {
    const known = this.marks[tenant];
    if (known && known.version >= version) return;
    this.marks = { ...this.marks, [tenant]: { version, digest } };
    const temporary = `${this.file}.new`;
    const descriptor = openSync(temporary, 'w', 0o600);
    try {
      writeSync(descriptor, JSON.stringify(this.marks));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, this.file);
    const folder = openSync(dirname(this.file), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  private read(): z.infer<typeof Marks> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw error;
    }
    // An unreadable mark must not read as "never seen anything": that would switch the rollback guard off.
    return Marks.parse(JSON.parse(text));
  }
}
