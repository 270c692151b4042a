import { CollateralHandover, EvidenceHandover, type EvidenceHandoverReply, SiegelError } from '#contracts';
import { checkCollateralBundle } from '#dcap';
import { hash } from 'node:crypto';
import type { z } from 'zod';
import type { ArchiveClient } from './archive-client.js';
import { collateralId, CollateralWishes } from './collateral-wishes.js';
import type { ArchiveLimits, EvidenceInfo } from './evidence-archive.js';
import type { EvidenceKeeper } from './evidence-keeper.js';
import type { PendingEvidence } from './pending-evidence.js';

const PURGE_MS = 60_000;

/** The evidence of this service: what comes in from verifiers, what is kept, what is given out. */
export class Retention {
  readonly #wishes = new CollateralWishes();
  #purging: NodeJS.Timeout | undefined;
  bytes = 0;

  constructor(
    private readonly archive: Pick<ArchiveClient, 'call' | 'close'>,
    private readonly pending: PendingEvidence,
    private readonly keeper: EvidenceKeeper,
    private readonly limits: ArchiveLimits,
    private readonly onProblem: (message: string) => void,
  ) {}

  async start(): Promise<void> {
    await this.keeper.start();
    this.keeper.run();
    await this.purge();
    this.#purging = setInterval(() => void this.purge(), PURGE_MS);
    this.#purging.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#purging);
    await this.keeper.stop();
    await this.archive.close();
  }

  /** There are new entries in the log. */
  wake(): void {
    this.keeper.wake();
  }

  get awaited(): number {
    return this.keeper.awaited;
  }

  /** Takes evidence from a verifier: it waits for the event that names it. @throws SiegelError REQUEST_MALFORMED */
  take(body: Uint8Array): EvidenceHandoverReply {
    const { evidence, collateral } = parse(EvidenceHandover, body);
    const bytes = Buffer.from(evidence, 'base64url');
    const now = Date.now();
    this.pending.put(hash('sha256', bytes, 'hex'), bytes, now);
    this.keeper.wake();
    return { collateralWanted: collateral !== undefined && this.#wishes.wants(collateral, now) };
  }

  /** Takes collateral that was asked for and is what its id says. @throws SiegelError REQUEST_MALFORMED */
  async takeCollateral(body: Uint8Array): Promise<void> {
    const { id, bundle } = parse(CollateralHandover, body);
    if (!this.#wishes.wasAsked(id))
      throw new SiegelError('REQUEST_MALFORMED', { detail: 'nobody asked for this collateral' });
    if (collateralId(bundle) !== id)
      throw new SiegelError('REQUEST_MALFORMED', { detail: 'the collateral has another id' });
    const text = JSON.stringify(checkCollateralBundle(bundle));
    await this.archive.call('putCollateral', { id, bundle: text });
    this.#wishes.hold(id);
  }

  info(sha256: string): Promise<EvidenceInfo | undefined> {
    return this.archive.call('info', sha256);
  }

  async read(sha256: string): Promise<Buffer | undefined> {
    const bytes = await this.archive.call('read', sha256);
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  erase(sha256: string): Promise<boolean> {
    this.pending.delete(sha256);
    return this.archive.call('erase', sha256);
  }

  collateral(id: string): Promise<string | undefined> {
    return this.archive.call('collateral', id);
  }

  async purge(): Promise<void> {
    try {
      const { bytes } = await this.archive.call('purge', this.limits);
      this.bytes = bytes;
      this.#wishes.forget();
    } catch (error) {
      this.onProblem(`old evidence was not removed: ${(error as Error).message}`);
    }
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
