import { Readable } from 'node:stream';
import type { Terminal } from './terminal.js';

/** A terminal that keeps what is written to it; for running a command inside another program. */
export interface RecordingTerminal extends Terminal {
  readonly written: { out: string; err: string };
}

export function recordingTerminal(
  given: { stdin?: string | Buffer; env?: Record<string, string>; cwd?: string; columns?: number } = {},
): RecordingTerminal {
  const written = { out: '', err: '' };
  return {
    stdin: Readable.from(given.stdin === undefined ? [] : [Buffer.from(given.stdin as string)]),
    env: given.env ?? {},
    cwd: given.cwd ?? '/',
    interactive: false,
    colour: false,
    ...(given.columns === undefined ? {} : { columns: given.columns }),
    written,
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    onOutputClosed: () => () => undefined,
  };
}
