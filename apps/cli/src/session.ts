import type { Terminal } from './terminal/terminal.js';

/** One run of the command line: its streams, its exit code, and the signal that ends what would go on for ever. */
export class Session {
  /** Set by the command that ran; absent where a command keeps to `process.exitCode`. */
  exitCode: number | undefined;
  private readonly stopping = new AbortController();
  private readonly undo: (() => void)[];

  constructor(readonly terminal: Terminal) {
    this.undo = [terminal.onOutputClosed(() => this.stopping.abort())];
  }

  /** Runs a command's handler and keeps the exit code that it returns. */
  command<A extends unknown[]>(handler: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
    return async (...args) => {
      this.exitCode = await handler(...args);
    };
  }

  /** Aborts at Ctrl-C, SIGTERM, or when nobody reads standard output any more. For commands that follow something. */
  untilStopped(): AbortSignal {
    const stop = (): void => this.stopping.abort();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, stop);
      this.undo.push(() => process.off(signal, stop));
    }
    return this.stopping.signal;
  }

  close(): void {
    for (const undo of this.undo.splice(0)) undo();
  }
}
