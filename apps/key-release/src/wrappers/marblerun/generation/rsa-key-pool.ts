import { generateRsaKeyPair, type KeyPair } from './key-pair.js';

export interface RsaKeyPoolOptions {
  /** Keys kept ready per size. */
  readonly ready: number;
  /** Keys being made at once, of all sizes: the other threads of libuv's pool stay free for signatures and files. */
  readonly parallel: number;
  /** Sizes for which keys are kept; others are made when they are asked for. */
  readonly sizes: number;
  readonly generate?: (bits: number) => Promise<KeyPair>;
}

/**
 * RSA keys made ahead, for marbles that use a private `cert-rsa` secret: a fleet that starts at once need not wait for each key. Only
 * sizes that have been asked for are kept, and every key is handed out once.
 */
export class RsaKeyPool {
  private readonly stock = new Map<number, KeyPair[]>();
  private readonly waiting: {
    bits: number;
    resolve: (pair: KeyPair) => void;
    reject: (error: unknown) => void;
  }[] = [];
  private making = 0;
  private closed = false;
  private readonly generate: (bits: number) => Promise<KeyPair>;

  constructor(private readonly options: RsaKeyPoolOptions) {
    this.generate = options.generate ?? generateRsaKeyPair;
  }

  take(bits: number): Promise<KeyPair> {
    const stock = this.stockOf(bits);
    const ready = stock?.shift();
    if (ready) {
      this.work();
      return Promise.resolve(ready);
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ bits, resolve, reject });
      this.work();
    });
  }

  /** Keys that nobody asked for are forgotten; no more are made ahead. */
  close(): void {
    this.closed = true;
    for (const pairs of this.stock.values()) for (const { privateKey } of pairs) privateKey.fill(0);
    this.stock.clear();
  }

  private stockOf(bits: number): KeyPair[] | undefined {
    const known = this.stock.get(bits);
    if (known || this.closed || this.stock.size >= this.options.sizes) return known;
    const made: KeyPair[] = [];
    this.stock.set(bits, made);
    return made;
  }

  /** Whoever waits comes first; then the emptiest stock is filled. */
  private work(): void {
    while (this.making < this.options.parallel) {
      const next = this.waiting.shift();
      const bits = next?.bits ?? this.emptiest();
      if (bits === undefined) return;
      this.making++;
      this.generate(bits)
        .then(
          (pair) => (next ? next.resolve(pair) : this.keep(bits, pair)),
          (error: unknown) => next?.reject(error),
        )
        .finally(() => {
          this.making--;
          this.work();
        });
    }
  }

  private emptiest(): number | undefined {
    if (this.closed) return undefined;
    const [found] = [...this.stock].sort(([, a], [, b]) => a.length - b.length);
    return found && found[1].length + this.making < this.options.ready ? found[0] : undefined;
  }

  private keep(bits: number, pair: KeyPair): void {
    const asked = this.waiting.findIndex((one) => one.bits === bits);
    if (asked >= 0) this.waiting.splice(asked, 1)[0]!.resolve(pair);
    else this.stock.get(bits)?.push(pair);
  }
}
