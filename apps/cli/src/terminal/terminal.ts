import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** Where a command reads from and writes to; the process's own streams, or a test's. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative file arguments are relative to this. */
  readonly cwd: string;
  /** Whether standard output is a person's screen. */
  readonly interactive: boolean;
  /** Whether ANSI sequences may be written to standard output. */
  readonly colour: boolean;
  /** Width of the help; 80 where it is not known. */
  readonly columns?: number;
  out(text: string): void;
  err(text: string): void;
  /** Resolves when standard output can take more; for what may be longer than memory. Not there where it always can. */
  drained?(stopped: AbortSignal): Promise<void>;
  /** Calls back once when whoever reads standard output has gone (EPIPE). Returns how to stop listening. */
  onOutputClosed(callback: () => void): () => void;
}

export function processTerminal(): Terminal {
  const interactive = process.stdout.isTTY === true;
  return {
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    columns: Math.min(process.stdout.columns || 80, 110),
    interactive,
    colour: interactive && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    async drained(stopped) {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain', { signal: stopped });
    },
    onOutputClosed(callback) {
      const listener = (error: NodeJS.ErrnoException): void => {
        if (error.code === 'EPIPE') callback();
      };
      process.stdout.on('error', listener);
      return () => process.stdout.off('error', listener);
    },
  };
}
