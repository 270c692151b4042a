import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';

/** How far the events are distributed. It may lag behind after a crash, never run ahead. */
export interface DistributionMark {
  readonly position: number;
  advance(position: number): void;
  /** Makes it durable. */
  save(): Promise<void> | void;
}

/**
 * How far the events are distributed, in a file. It may lag behind after a crash, never run ahead: then some events are
 * published again, which JetStream recognises by their id.
 */
export class HighWaterMark implements DistributionMark {
  #position: number;
  #written: number;

  /** @param head position of the last entry in the store; a mark beyond it belongs to another store */
  constructor(
    private readonly path: string,
    head: number,
  ) {
    this.#position = this.#written = Math.min(read(path), head);
  }

  get position(): number {
    return this.#position;
  }

  advance(position: number): void {
    if (position > this.#position) this.#position = position;
  }

  save(): void {
    if (this.#written === this.#position) return;
    const draft = `${this.path}.new`;
    const file = openSync(draft, 'w', 0o600);
    writeSync(file, `${this.#position}\n`);
    closeSync(file);
    renameSync(draft, this.path);
    this.#written = this.#position;
  }
}

function read(path: string): number {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
