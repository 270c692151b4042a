import type { Anomaly } from './anomalies.js';
import type { OwnStatement } from './own-events.js';
import type { IncomingEvent } from './placer.js';
import { OutcomeUnknown, type Sequencer } from './sequencer.js';

/** Own statements that wait for this process to lead. */
const MAX_KEPT = 64;

/** The sequencer for everybody in the process, whether this process leads at the moment or not. */
export class SequencerDoor {
  #sequencer: Sequencer | undefined;
  #kept: OwnStatement[] = [];
  #watched = 0;

  /** From now on this sequencer takes the events; undefined: another process does. */
  lead(sequencer: Sequencer | undefined): void {
    this.#watched = Math.max(this.#watched, this.#sequencer?.head ?? 0);
    this.#sequencer = sequencer;
    const kept = this.#kept;
    if (!sequencer) return;
    this.#kept = [];
    for (const statement of kept) sequencer.record(statement);
  }

  get leads(): boolean {
    return this.#sequencer !== undefined;
  }

  /** Position of the last committed entry; where another process leads, as far as it was seen. */
  get head(): number {
    return this.#sequencer?.head ?? this.#watched;
  }

  /** Another process committed up to here. */
  watched(head: number): void {
    this.#watched = Math.max(this.#watched, head);
  }

  get queued(): number {
    return this.#sequencer?.queued ?? 0;
  }

  /** @throws SiegelError, OutcomeUnknown as Sequencer.append; OutcomeUnknown where another process leads */
  append(event: IncomingEvent): Promise<string> {
    return this.#sequencer?.append(event) ?? Promise.reject(new OutcomeUnknown('another process leads'));
  }

  /** Records an event of this process with the next commit; a standby's is recorded once it leads. */
  record(statement: OwnStatement): void {
    if (this.#sequencer) this.#sequencer.record(statement);
    else if (this.#kept.length < MAX_KEPT) this.#kept.push(statement);
  }

  note(anomaly: Anomaly): void {
    this.#sequencer?.note(anomaly);
  }
}
