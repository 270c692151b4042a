import { join } from 'node:path';
import type { Jwks, PublicJwk } from './jwk.js';
import { createKeyFile, listKeyDirectory, makeKeyDirectory, readKeyFile } from './key-file.js';
import { PkiError } from './pki-error.js';
import { LocalSigner } from './signer.js';
import type { Signer, SignerAlg } from './signer.js';
import type { VerificationKey } from './jws.js';

/** One key of a {@link SigningKeys} with the moment from which it signs. */
export interface ScheduledSigner {
  signer: Signer;
  signsFrom: Date;
}

export interface SigningKeysOptions {
  /**
   * How long a key still verifies after its successor has begun to sign, in seconds; at least the longest lifetime
   * of what it signed. Default 3600.
   */
  overlapSeconds?: number;
}

/**
 * The keys of one issuer in the order of their time: the newest one that has begun signs; later ones are
 * published ahead, so that caches of the JWKS know them before they are used; earlier ones verify until their
 * successor has signed for `overlapSeconds`. Which key does what is a function of the time alone.
 */
export class SigningKeys {
  #scheduled: ScheduledSigner[];
  readonly #overlapMs: number;

  private constructor(
    scheduled: readonly ScheduledSigner[],
    options: SigningKeysOptions,
    private readonly directory: string | undefined,
    private readonly alg: SignerAlg,
  ) {
    const overlap = options.overlapSeconds ?? 3600;
    if (!(overlap >= 0)) throw new PkiError('SETTING_INVALID', 'overlapSeconds');
    this.#overlapMs = overlap * 1000;
    this.#scheduled = inOrder(scheduled);
  }

  /** From signers that exist elsewhere (a vault's keys); at least one. */
  static of(scheduled: readonly ScheduledSigner[], options: SigningKeysOptions = {}): SigningKeys {
    const [first] = scheduled;
    if (first === undefined) throw new PkiError('SETTING_INVALID', 'no signer');
    return new SigningKeys(scheduled, options, undefined, first.signer.alg);
  }

  /**
   * Keys in a directory, one file `<signsFrom, unix ms>.<kid>.pem` each; the first is created at first start.
   * Throws the KEY_FILE_… codes.
   */
  static async open(
    options: SigningKeysOptions & { dir: string; alg?: SignerAlg; now: Date },
  ): Promise<SigningKeys> {
    const alg = options.alg ?? 'ES256';
    await makeKeyDirectory(options.dir);
    let scheduled = await readDirectory(options.dir);
    if (scheduled.length === 0) {
      // `initial.pem` is one name for all processes that start at once, so they agree on one key.
      await LocalSigner.openOrCreateFile(join(options.dir, INITIAL), alg);
      scheduled = await readDirectory(options.dir);
    }
    return new SigningKeys(scheduled, options, options.dir, alg);
  }

  /** The key that signs at `now`; SIGNING_KEY_MISSING when none has begun. */
  current(now: Date): Signer {
    const scheduled = this.#scheduled.findLast((key) => key.signsFrom <= now);
    if (scheduled === undefined) throw new PkiError('SIGNING_KEY_MISSING');
    return scheduled.signer;
  }

  /** When the newest key begins, or began, to sign; the epoch for a key of before the first rotation. */
  get newestFrom(): Date {
    return this.#scheduled.at(-1)?.signsFrom ?? new Date(0);
  }

  /** The key by its kid, while it verifies. A key that is published ahead does not verify yet. */
  verificationKey(kid: string | undefined, now: Date): VerificationKey | undefined {
    const index = this.#scheduled.findIndex((key) => key.signer.kid === kid);
    const found = this.#scheduled[index];
    if (found === undefined || found.signsFrom > now || !this.#verifies(index, now)) return undefined;
    return { alg: found.signer.alg, key: found.signer.publicKey, kid: found.signer.kid };
  }

  /** What relying parties may see at `now`: next, current and previous keys. */
  jwks(now: Date): Jwks {
    const keys: PublicJwk[] = this.#scheduled
      .filter((_key, index) => this.#verifies(index, now))
      .map((key) => key.signer.jwk());
    return { keys };
  }

  /**
   * Adds a key that signs from `now + publishAheadSeconds` on. With a directory and no `signer`, a new local key is
   * generated and stored first. Returns it.
   */
  async rotate(now: Date, options: { publishAheadSeconds?: number; signer?: Signer } = {}): Promise<Signer> {
    const ahead = options.publishAheadSeconds ?? 0;
    if (!(ahead >= 0)) throw new PkiError('SETTING_INVALID', 'publishAheadSeconds');
    let signsFrom = now.getTime() + ahead * 1000;
    // Two keys never begin in the same millisecond, so that their order is the same after a restart.
    while (this.#scheduled.some((key) => key.signsFrom.getTime() === signsFrom)) signsFrom += 1;
    let signer = options.signer;
    if (signer === undefined) {
      if (this.directory === undefined)
        throw new PkiError('SETTING_INVALID', 'rotation needs a signer or a directory');
      const local = LocalSigner.generate(this.alg);
      await createKeyFile(join(this.directory, `${signsFrom}.${local.kid}.pem`), local.toPem());
      signer = local;
    }
    this.#scheduled = inOrder([...this.#scheduled, { signer, signsFrom: new Date(signsFrom) }]);
    return signer;
  }

  /** Takes a new schedule in place of the present one: of keys that live elsewhere, some came and some went. */
  replace(scheduled: readonly ScheduledSigner[]): void {
    this.#scheduled = inOrder(scheduled);
  }

  /** Reads the directory again, to learn of a rotation that another process has made. */
  async reload(): Promise<void> {
    if (this.directory !== undefined) this.#scheduled = inOrder(await readDirectory(this.directory));
  }

  #verifies(index: number, now: Date): boolean {
    const successor = this.#scheduled[index + 1];
    return successor === undefined || now.getTime() < successor.signsFrom.getTime() + this.#overlapMs;
  }
}

const INITIAL = 'initial.pem';
const FILE_NAME = /^(\d{1,14})\.([A-Za-z0-9_-]{43})\.pem$/;

async function readDirectory(dir: string): Promise<ScheduledSigner[]> {
  const scheduled: ScheduledSigner[] = [];
  for (const name of await listKeyDirectory(dir)) {
    const named = FILE_NAME.exec(name);
    if (named === null && name !== INITIAL) continue;
    const path = join(dir, name);
    const signer = LocalSigner.fromPem(await readKeyFile(path), path);
    if (named !== null && signer.kid !== named[2])
      throw new PkiError('KEY_FILE_INVALID', `${path} holds another key`);
    scheduled.push({ signer, signsFrom: new Date(Number(named?.[1] ?? 0)) });
  }
  return scheduled;
}

function inOrder(scheduled: readonly ScheduledSigner[]): ScheduledSigner[] {
  return [...scheduled].sort((a, b) => a.signsFrom.getTime() - b.signsFrom.getTime());
}
