import { CoordinatorError } from '../coordinator-error.js';
import type { ActivationTicket } from '../interface.js';
import type { Coordinator } from './coordinator.js';

/**
 * Activations of marbles that have a limit. A count is reserved when an activation begins, so that concurrent ones cannot exceed the limit,
 * and is durable before the answer; those that end at once share one write.
 */
export class ActivationCounts {
  private readonly reserved = new Map<string, number>();
  private readonly waiting: string[] = [];
  private write: Promise<void> | undefined;

  constructor(private readonly coordinator: Coordinator) {}

  /** @throws CoordinatorError BUDGET_SPENT, UNKNOWN_MARBLE, WRONG_STATE */
  take(marbleType: string): ActivationTicket {
    const { manifest } = this.coordinator.snapshot();
    const marble = manifest.marbles.get(marbleType);
    if (!marble) throw new CoordinatorError('UNKNOWN_MARBLE', 'unknown marble type requested');
    if (marble.maxActivations === 0) return UNLIMITED;
    const counted = this.coordinator.current?.activations.get(marbleType) ?? 0;
    if (counted + this.reservedOf(marbleType) >= marble.maxActivations)
      throw new CoordinatorError(
        'BUDGET_SPENT',
        `reached max activations count (${marble.maxActivations}) for marble type ${JSON.stringify(marbleType)}`,
      );
    this.reserved.set(marbleType, this.reservedOf(marbleType) + 1);
    let open = true;
    return {
      commit: async () => {
        if (!open) return;
        open = false;
        try {
          await this.count(marbleType);
        } finally {
          this.release(marbleType);
        }
      },
      release: () => {
        if (open) this.release(marbleType);
        open = false;
      },
    };
  }

  private count(marbleType: string): Promise<void> {
    this.waiting.push(marbleType);
    if (this.write) return this.write;
    const write = this.coordinator.change((data) => {
      this.write = undefined;
      const activations = new Map(data.activations);
      for (const type of this.waiting.splice(0)) activations.set(type, (activations.get(type) ?? 0) + 1);
      return { data: { ...data, activations }, value: undefined, events: [] };
    });
    this.write = write;
    return write;
  }

  private release(marbleType: string): void {
    const left = this.reservedOf(marbleType) - 1;
    if (left > 0) this.reserved.set(marbleType, left);
    else this.reserved.delete(marbleType);
  }

  private readonly reservedOf = (marbleType: string): number => this.reserved.get(marbleType) ?? 0;
}

const UNLIMITED: ActivationTicket = { commit: () => Promise.resolve(), release: () => undefined };
