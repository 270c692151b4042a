import { COLLATERAL_FIELDS, type CollateralBundle } from '#dcap';
import { hash } from 'node:crypto';

const MAX_IDS = 4_096;
/** Time after which collateral that was asked for is asked for again. */
const AGAIN_MS = 10_000;

/** The id of a bundle, as verdicts and events name it (`CollateralEpoch.id`). */
export const collateralId = (bundle: Readonly<Record<string, string>>): string =>
  hash(
    'sha256',
    JSON.stringify(COLLATERAL_FIELDS.map((name: keyof CollateralBundle) => bundle[name])),
    'hex',
  );

/** Which collateral is asked of verifiers: what evidence names and the archive does not have. Nothing else is taken. */
export class CollateralWishes {
  /** Ids that are kept. */
  private readonly held = new Set<string>();
  /** Ids that were asked for, and when. */
  private readonly asked = new Map<string, number>();

  /** Whether to ask for it now. */
  wants(id: string, now: number): boolean {
    if (this.held.has(id)) return false;
    const before = this.asked.get(id);
    if (before !== undefined && now - before < AGAIN_MS) return false;
    if (this.asked.size >= MAX_IDS) this.asked.clear();
    this.asked.set(id, now);
    return true;
  }

  wasAsked(id: string): boolean {
    return this.asked.has(id);
  }

  hold(id: string): void {
    this.asked.delete(id);
    if (this.held.size >= MAX_IDS) this.held.clear();
    this.held.add(id);
  }

  /** Purging may have removed some: they are asked for again when they are named again. */
  forget(): void {
    this.held.clear();
  }
}
