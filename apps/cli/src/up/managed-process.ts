import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** The child watches its stdin and ends when we are gone. */
  readonly parentPipe: boolean;
}

/** sysexits(3): configuration error and unavailable port; starting again would only fail again. */
const FINAL_EXIT_CODES = new Set([78, 69]);
const STOP_TIMEOUT_MS = 12_000;

/** A child process that is started again, with back-off, when it ends unasked. */
export class ManagedProcess {
  private child: ChildProcess | undefined;
  private stopping = false;
  private restarts = 0;
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Set when the process gave up for good. */
  failure: string | undefined;

  constructor(
    readonly spec: ProcessSpec,
    private readonly onRestart: (name: string, how: string) => void,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): void {
    mkdirSync(dirname(this.spec.logFile), { recursive: true });
    const log = openSync(this.spec.logFile, 'a', 0o600);
    this.startedAt = Date.now();
    this.child = spawn(this.spec.command, [...this.spec.args], {
      env: { ...this.spec.env, ...(this.spec.parentPipe ? { SIEGEL_PARENT_PIPE: 'true' } : {}) },
      stdio: [this.spec.parentPipe ? 'pipe' : 'ignore', log, log],
      // A group of its own: Ctrl-C in the terminal reaches us alone, and we stop the children in order.
      detached: true,
    });
    closeSync(log);
    this.child.stdin?.on('error', () => undefined);
    this.child.on('error', (error) => (this.failure = error.message));
    this.child.on('exit', (code, signal) => this.exited(code, signal));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(force);
  }

  /** The last lines of the log, for a failure message. */
  tail(lines = 5): string {
    try {
      return readFileSync(this.spec.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
    } catch {
      return '';
    }
  }

  private exited(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.stopping) return;
    const how = signal ? `signal ${signal}` : `code ${code}`;
    if (code !== null && FINAL_EXIT_CODES.has(code)) {
      this.failure = `${this.spec.name} ended with ${how}: ${this.tail(1)}`;
      return;
    }
    if (Date.now() - this.startedAt > 30_000) this.restarts = 0;
    if (++this.restarts > 10) {
      this.failure = `${this.spec.name} ended ${this.restarts} times in a row (${how}): ${this.tail(1)}; see ${this.spec.logFile}`;
      return;
    }
    this.onRestart(this.spec.name, how);
    this.timer = setTimeout(() => this.start(), Math.min(5_000, 100 * 2 ** (this.restarts - 1)));
  }
}
