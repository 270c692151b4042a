import { CollateralHandover, EvidenceHandover, type EvidenceHandoverReply, SiegelError } from '#contracts';
import { checkCollateralBundle } from '#dcap';
import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { FencedError } from '../store/fenced-error.js';
import type { ArchiveReader, ArchiveWriter, EvidenceInfo, Purged } from './archive.js';
import { collateralId, CollateralWishes } from './collateral-wishes.js';
import type { EvidenceKeeper } from './evidence-keeper.js';
import type { PendingEvidence } from './pending-evidence.js';

const PURGE_MS = 60_000;
const RETRY_MS = 500;

/** What keeps for as long as this process sequences the log. */
interface Keeping {
  archive: ArchiveWriter;
  keeper: EvidenceKeeper;
  purging: NodeJS.Timeout;
}

/**
 * The evidence of this process: what comes in from verifiers, what is kept, what is given out. Everybody gives out; the one that
 * sequences the log keeps. The others take what is handed over as well, without an answer, so that the next one to lead has it.
 */
export class Retention {
  readonly #wishes = new CollateralWishes();
  #keeping: Keeping | undefined;
  /** Whether this process answers: also while it claims the archive, as what waits is in memory. */
  #answers = false;
  /** Counts the terms: what was begun in a former one stops. */
  #term = 0;
  #change: Promise<void> = Promise.resolve();
  purged: Purged = { removed: 0, bytes: 0, unreadable: 0 };

  constructor(
    private readonly archive: ArchiveReader,
    private readonly pending: PendingEvidence,
    private readonly keeperOn: (archive: ArchiveWriter) => EvidenceKeeper,
    private readonly onProblem: (message: string) => void,
  ) {}

  /** Begins to keep. @throws what the archive throws */
  async keep(archive: ArchiveWriter): Promise<void> {
    const keeper = this.keeperOn(archive);
    this.#answers = true;
    await keeper.start();
    keeper.run();
    const purging = setInterval(() => void this.#purge(archive), PURGE_MS);
    purging.unref();
    this.#keeping = { archive, keeper, purging };
    await this.#purge(archive);
  }

  /** A term begins: keeps as soon as the archive was claimed for it, until the term ends. */
  lead(claim: () => Promise<ArchiveWriter>): void {
    const term = ++this.#term;
    this.#answers = true;
    this.#change = this.#change.then(async () => {
      while (term === this.#term) {
        try {
          return await this.keep(await claim());
        } catch (error) {
          if (error instanceof FencedError) return;
          this.onProblem(`evidence is not kept yet: ${(error as Error).message}`);
          await delay(RETRY_MS, undefined, { ref: false });
        }
      }
    });
  }

  /** The term is over: another process keeps. */
  follow(): void {
    this.#term++;
    this.#answers = false;
    this.#change = this.#change.then(() => this.#rest());
  }

  async stop(): Promise<void> {
    this.follow();
    await this.#change;
    await this.archive.close();
  }

  /** There are new entries in the log. */
  wake(): void {
    this.#keeping?.keeper.wake();
  }

  get awaited(): number {
    return this.#keeping?.keeper.awaited ?? 0;
  }

  /**
   * Takes evidence from a verifier: it waits for the event that names it. Without an answer where another process keeps.
   * @throws SiegelError REQUEST_MALFORMED
   */
  take(body: Uint8Array): EvidenceHandoverReply | undefined {
    const { evidence, collateral } = parse(EvidenceHandover, body);
    const bytes = Buffer.from(evidence, 'base64url');
    const now = Date.now();
    this.pending.put(hash('sha256', bytes, 'hex'), bytes, now);
    const collateralWanted = collateral !== undefined && this.#wishes.wants(collateral, now);
    this.#keeping?.keeper.wake();
    return this.#answers ? { collateralWanted } : undefined;
  }

  /**
   * Takes collateral that was asked for and is what its id says; false where another process keeps.
   * @throws SiegelError REQUEST_MALFORMED
   */
  async takeCollateral(body: Uint8Array): Promise<boolean> {
    const { id, bundle } = parse(CollateralHandover, body);
    if (!this.#keeping) return false;
    if (!this.#wishes.wasAsked(id))
      throw new SiegelError('REQUEST_MALFORMED', { detail: 'nobody asked for this collateral' });
    if (collateralId(bundle) !== id)
      throw new SiegelError('REQUEST_MALFORMED', { detail: 'the collateral has another id' });
    const text = JSON.stringify(checkCollateralBundle(bundle));
    try {
      await this.#keeping.archive.putCollateral(id, text);
    } catch (error) {
      if (error instanceof FencedError) return false;
      throw error;
    }
    this.#wishes.hold(id);
    return true;
  }

  info(sha256: string): Promise<EvidenceInfo | undefined> {
    return this.archive.info(sha256);
  }

  /** @throws SiegelError EVIDENCE_KEY_UNKNOWN, EVIDENCE_DAMAGED */
  read(sha256: string): Promise<Buffer | undefined> {
    return this.archive.read(sha256);
  }

  erase(sha256: string): Promise<boolean> {
    this.pending.delete(sha256);
    return this.archive.erase(sha256);
  }

  collateral(id: string): Promise<string | undefined> {
    return this.archive.collateral(id);
  }

  async #purge(archive: ArchiveWriter): Promise<void> {
    const { unreadable } = this.purged;
    try {
      this.purged = await archive.purge();
      this.#wishes.forget();
    } catch (error) {
      if (!(error instanceof FencedError))
        this.onProblem(`old evidence was not removed: ${(error as Error).message}`);
    }
    if (this.purged.unreadable > 0 && this.purged.unreadable !== unreadable)
      this.onProblem(
        `${this.purged.unreadable} pieces of evidence are encrypted under keys that are not in the key file`,
      );
  }

  async #rest(): Promise<void> {
    const keeping = this.#keeping;
    this.#keeping = undefined;
    if (!keeping) return;
    clearInterval(keeping.purging);
    await keeping.keeper.stop();
  }
}

function parse<T extends z.ZodType>(schema: T, body: Uint8Array): z.output<T> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new SiegelError('REQUEST_MALFORMED', { detail: 'not JSON' });
  }
  const result = schema.safeParse(json);
  if (!result.success)
    throw new SiegelError('REQUEST_MALFORMED', {
      detail: result.error.issues[0]?.message.slice(0, 200) ?? '',
    });
  return result.data;
}
