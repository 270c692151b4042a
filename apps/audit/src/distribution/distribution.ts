import type { NatsConnection } from '@nats-io/transport-node';
import { join } from 'node:path';
import type { AuditEnvironment } from '../audit-environment.js';
import type { AuditLog } from '../audit-log.js';
import { Distributor } from './distributor.js';
import { type DistributionMark, HighWaterMark } from './high-water-mark.js';

/** Distribution while this process leads: with the embedded store always, for a replica anew in each of its terms. */
export class Distribution {
  #distributor: Distributor | undefined;
  /** Starts and stops one after the other, however fast terms change. */
  #steps: Promise<void> = Promise.resolve();

  constructor(
    private readonly nats: NatsConnection,
    private readonly log: AuditLog,
    private readonly environment: AuditEnvironment,
    private readonly onProblem: (message: string) => void,
  ) {
    log.follower.on('indexed', () => this.#distributor?.wake());
  }

  /** Entries that are committed and not distributed, as far as this process knows. */
  get lag(): number {
    return this.#distributor ? Math.max(this.log.sequencer.head - this.#distributor.position, 0) : 0;
  }

  start(): void {
    const { replica, sequencer } = this.log;
    if (!replica) {
      const path = join(this.environment.SIEGEL_STATE_DIR, 'distributed');
      return this.#begin(() => Promise.resolve({ mark: new HighWaterMark(path, sequencer.head) }));
    }
    replica.on('leading', (term) =>
      this.#begin(async () => {
        const { SharedMark } = await import('./shared-mark.js');
        const mark = await SharedMark.open(replica.database, term);
        return { mark, leads: () => mark.mayAdvance() };
      }),
    );
    replica.on('following', () => this.#step(() => this.#end()));
  }

  stop(): Promise<void> {
    this.#step(() => this.#end());
    return this.#steps;
  }

  #begin(open: () => Promise<{ mark: DistributionMark; leads?: () => Promise<boolean> }>): void {
    this.#step(async () => {
      await this.#end();
      const { SIEGEL_AUDIT_STREAM_MAX_AGE_HOURS, SIEGEL_AUDIT_STREAM_REPLICAS } = this.environment;
      const settings = {
        maxAgeHours: SIEGEL_AUDIT_STREAM_MAX_AGE_HOURS,
        replicas: SIEGEL_AUDIT_STREAM_REPLICAS,
      };
      const { mark, leads } = await open();
      const onProblem = (message: string): void => this.onProblem(`waiting for JetStream: ${message}`);
      this.#distributor = new Distributor(this.nats, this.log.reader, mark, settings, onProblem, leads);
      this.#distributor.start();
    });
  }

  async #end(): Promise<void> {
    const distributor = this.#distributor;
    this.#distributor = undefined;
    await distributor?.stop();
  }

  #step(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step).catch((error: unknown) => this.onProblem((error as Error).message));
  }
}
