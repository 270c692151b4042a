import type { KV } from '@nats-io/kv';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isLostRace } from './session-bucket.js';

const LEASE_MS = 15_000;

const Held = z.object({ holder: z.string(), until: z.number() });

/**
 * Keeps replicas from doing the same work at the same time; a matter of thrift, not of safety: whoever waits too long goes ahead
 * without it. A lease longer than any of ours is none, so that the broker cannot hold one for ever.
 */
export class Lease {
  private readonly holder = randomUUID();
  private revision: number | undefined;
  private takenAt = 0;

  constructor(
    private readonly kv: () => KV,
    private readonly name: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** Takes the lease, or extends it if it is ours. False while another replica has it. */
  async take(): Promise<boolean> {
    const now = this.now();
    if (this.revision !== undefined && now - this.takenAt < LEASE_MS / 3) return true;
    const mine = JSON.stringify({ holder: this.holder, until: now + LEASE_MS });
    try {
      const entry = await this.kv().get(this.name);
      if (entry === null || entry.operation !== 'PUT')
        this.revision = await this.kv().create(this.name, mine);
      else if (this.isHeldByAnother(entry.value, now)) {
        this.revision = undefined;
        return false;
      } else this.revision = await this.kv().update(this.name, mine, entry.revision);
    } catch (error) {
      this.revision = undefined;
      if (isLostRace(error)) return false;
      throw error;
    }
    this.takenAt = now;
    return true;
  }

  async release(): Promise<void> {
    const { revision } = this;
    this.revision = undefined;
    if (revision === undefined) return;
    // If this fails it ends by itself.
    await this.kv()
      .delete(this.name, { previousSeq: revision })
      .catch(() => undefined);
  }

  private isHeldByAnother(value: Uint8Array, now: number): boolean {
    try {
      const { holder, until } = Held.parse(JSON.parse(Buffer.from(value).toString()));
      return holder !== this.holder && until > now && until <= now + 2 * LEASE_MS;
    } catch {
      return false;
    }
  }
}
