import { createKeyFile, isPkiError } from '#pki';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_TOKEN_SECONDS } from './maa-environment.js';
import { TokenKey } from './token-key.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A key is published this long before it signs: relying parties that pin keys fetch `/certs` in the meantime. */
const PUBLISH_AHEAD_MS = 2 * DAY_MS;
/** How long a key is published after its successor began to sign: the longest life of a token, and clocks. */
export const OVERLAP_MS = MAX_TOKEN_SECONDS * 1_000 + HOUR_MS;
/** Files of keys are kept this long after that, for whoever looks into an old token. */
const KEEP_MS = 7 * DAY_MS;
const FILE = /^(\d{1,14})\.pem$/;

export interface TokenKeysOptions {
  readonly dir: string;
  readonly issuer: string;
  /** How long a key signs, in days; 0 is for ever. */
  readonly days: number;
  readonly clock: () => Date;
}

/**
 * The token keys of one issuer, in a folder that replicas share: one file per key, named by the moment from which it signs, so that
 * the folder alone says which key does what. The next key is there before it signs, the former stays until its last token has ended.
 * Each issuer has keys of its own: Microsoft's providers share theirs, which makes `iss` the only difference between tenants.
 */
export class TokenKeys {
  private keys: readonly TokenKey[] = [];

  private constructor(private readonly options: TokenKeysOptions) {}

  /** @throws PkiError KEY_FILE_…, Error of the file system */
  static async open(options: TokenKeysOptions): Promise<TokenKeys> {
    const keys = new TokenKeys(options);
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    await keys.load();
    if (keys.keys.length === 0) {
      // On the hour: replicas that start at once mean the same file, which one of them makes.
      const signsFrom = Math.floor(options.clock().getTime() / HOUR_MS) * HOUR_MS;
      await keys.create(signsFrom);
      await keys.load();
    }
    await keys.maintain();
    return keys;
  }

  /** The key that signs now. */
  get current(): TokenKey {
    const now = this.options.clock();
    const key = this.keys.findLast(({ signsFrom }) => signsFrom <= now) ?? this.keys[0];
    if (key === undefined) throw new Error('there is no token key');
    return key;
  }

  /** What `/certs` shows: the next key, the current one, and those whose tokens may still live. RSA alone. */
  get published(): readonly TokenKey[] {
    const now = this.options.clock().getTime();
    return this.keys.filter((_key, index) => now < this.endOf(index));
  }

  /** Makes the next key where it is due, forgets old ones, and takes over what other replicas made. */
  async maintain(): Promise<void> {
    await this.load();
    const now = this.options.clock().getTime();
    const newest = this.keys.at(-1);
    if (newest !== undefined && this.options.days > 0) {
      const ahead = Math.min(PUBLISH_AHEAD_MS, (this.options.days * DAY_MS) / 4);
      const due = newest.signsFrom.getTime() + this.options.days * DAY_MS;
      if (now >= due - ahead) {
        // After a long stop the next key is late; it still is published before it signs.
        await this.create(Math.max(due, Math.ceil((now + ahead) / 1_000) * 1_000));
        await this.load();
      }
    }
    for (const [index, { signsFrom }] of this.keys.entries())
      if (now > this.endOf(index) + KEEP_MS)
        await unlink(join(this.options.dir, `${signsFrom.getTime()}.pem`));
    await this.load();
  }

  private endOf(index: number): number {
    const successor = this.keys[index + 1];
    return successor === undefined ? Infinity : successor.signsFrom.getTime() + OVERLAP_MS;
  }

  private async create(signsFrom: number): Promise<void> {
    const pem = await TokenKey.generate(this.options.issuer, this.options.clock());
    try {
      await createKeyFile(join(this.options.dir, `${Math.floor(signsFrom)}.pem`), pem);
    } catch (error) {
      // Another replica was first; its key is as good.
      if (!isPkiError(error, 'KEY_FILE_EXISTS')) throw error;
    }
  }

  private async load(): Promise<void> {
    const known = new Map(this.keys.map((key) => [key.signsFrom.getTime(), key]));
    const times = (await readdir(this.options.dir))
      .map((name) => FILE.exec(name)?.[1])
      .filter((time) => time !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
    this.keys = await Promise.all(
      times.map((at) => known.get(at) ?? TokenKey.read(join(this.options.dir, `${at}.pem`), new Date(at))),
    );
  }
}
