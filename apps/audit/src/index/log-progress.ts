import { EventEmitter } from 'node:events';
import type { FollowerMessage } from './follower-messages.js';

/**
 * How far searches and checkpoints are: told by the follower thread where this process leads, by watching the store where
 * it does not. Emits `indexed`, `checkpoint` and `cosigned` as they happen; lives as long as the process.
 */
export class LogProgress extends EventEmitter<{
  indexed: [];
  checkpoint: [log: number];
  cosigned: [log: number];
}> {
  #indexed = 0;
  readonly #sizes = new Map<number, number>();
  /** Somebody waits for the index: it need not gather any longer. */
  hurry: () => void = () => undefined;

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** Position of the last entry that searches find. */
  get indexed(): number {
    return this.#indexed;
  }

  /** Size of the last published checkpoint of a log. */
  published(log: number): number {
    return this.#sizes.get(log) ?? 0;
  }

  /** Waits until searches find the entry at `position`; false if that takes longer than `milliseconds`. */
  async waitIndexed(position: number, milliseconds: number): Promise<boolean> {
    if (this.#indexed < position) this.hurry();
    return this.#waitFor('indexed', () => this.#indexed >= position, milliseconds);
  }

  /** Waits until a checkpoint of the log has more than `index` entries; false if that takes too long. */
  async waitPublished(log: number, index: number, milliseconds: number): Promise<boolean> {
    return this.#waitFor('checkpoint', () => this.published(log) > index, milliseconds);
  }

  /** The next publication of the log's checkpoint with new cosignatures: whether it came within the time. */
  nextCosigned(log: number, milliseconds: number): { happened: Promise<boolean>; cancel: () => void } {
    let finish: (result: boolean) => void = () => undefined;
    const happened = new Promise<boolean>((resolve) => (finish = resolve));
    const check = (of: number): void => {
      if (of === log) end(true);
    };
    const timer = setTimeout(() => end(false), Math.max(milliseconds, 0));
    const end = (result: boolean): void => {
      clearTimeout(timer);
      this.off('cosigned', check);
      finish(result);
    };
    this.on('cosigned', check);
    return { happened, cancel: () => end(false) };
  }

  take(message: FollowerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.#advance(message.indexed);
        for (const { log, size } of message.sizes) this.#grow(log, size);
        break;
      case 'indexed':
        this.#advance(message.position);
        break;
      case 'checkpoint':
        this.#grow(message.log, message.size);
        break;
      case 'cosigned':
        this.emit('cosigned', message.log);
    }
  }

  #advance(position: number): void {
    if (position <= this.#indexed) return;
    this.#indexed = position;
    this.emit('indexed');
  }

  #grow(log: number, size: number): void {
    if (size <= this.published(log)) return;
    this.#sizes.set(log, size);
    this.emit('checkpoint', log);
  }

  #waitFor(event: 'indexed' | 'checkpoint', holds: () => boolean, milliseconds: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.off(event, check);
        resolve(result);
      };
      const check = (): void => {
        if (holds()) finish(true);
      };
      const timer = setTimeout(() => finish(false), milliseconds);
      this.on(event, check);
    });
  }
}
