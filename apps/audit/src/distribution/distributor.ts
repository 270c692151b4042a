import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { unpack } from '../query/packed-events.js';
import type { Reader } from '../query/reader.js';
import { AcknowledgedPublisher, PublishError } from './acknowledged-publisher.js';
import { cloudEvent, messageId } from './cloud-event.js';
import { type StreamSettings, ensureEventStream } from './event-stream.js';
import type { DistributionMark } from './high-water-mark.js';

const WINDOW = 256;
const ACK_TIMEOUT_MS = 5_000;
const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
const SAVE_INTERVAL_MS = 1_000;

/**
 * Brings every logged event to JetStream, in the order of their commit and at its own pace: always from the store, from the
 * high-water mark on. After an outage of the broker, or ours, it simply goes on. Promises never wait for it.
 *
 * Where replicas take turns each message names the one that it follows, so that what a paused former leader still sends
 * is either a repetition, which JetStream drops, or refused.
 */
export class Distributor {
  #wake: (() => void) | undefined;
  #woken = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  #saver: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #published = 0;
  /** Of the last event that this process brought to the stream, where the next one must follow it. */
  #lastId: string | undefined;

  constructor(
    private readonly nats: NatsConnection,
    private readonly reader: Reader,
    private readonly mark: DistributionMark,
    private readonly settings: StreamSettings,
    private readonly onProblem: (message: string) => void,
    /** Whether this process still leads; given where others may lead after it. */
    private readonly leads?: () => Promise<boolean>,
  ) {}

  /** Position of the last event that JetStream acknowledged. */
  get position(): number {
    return this.mark.position;
  }

  /** Why distribution does not go on at the moment. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get published(): number {
    return this.#published;
  }

  start(): void {
    this.#running = this.#run();
    this.#saver = setInterval(() => void this.#save(), SAVE_INTERVAL_MS);
  }

  /** There are new entries in the store. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#running;
    clearInterval(this.#saver);
    await this.#save();
  }

  async #save(): Promise<void> {
    try {
      await this.mark.save();
    } catch (error) {
      // What is published again after a restart is recognised by its id.
      this.onProblem(`the mark was not saved: ${(error as Error).message}`);
    }
  }

  async #run(): Promise<void> {
    const publisher = new AcknowledgedPublisher(this.nats);
    let pause = MIN_PAUSE_MS;
    let ready = false;
    while (!this.#stopped) {
      try {
        if (!ready) {
          const manager = await jetstreamManager(this.nats, { checkAPI: false });
          await ensureEventStream(manager, this.settings);
          ready = true;
        }
        if (!(await this.#publishNext(publisher))) await this.#sleep(60_000);
        pause = MIN_PAUSE_MS;
        this.#problem = undefined;
      } catch (error) {
        if (this.#stopped) break;
        if (error instanceof PublishError && error.outOfOrder) {
          // Somebody else's event is the last one: another leader's, or the stream was made anew.
          if (!(await this.#stillLeads())) break;
          this.#lastId = undefined;
        }
        // The stream may be gone with a rebuilt broker: look again before the next attempt.
        ready = false;
        const message = (error as Error).message;
        if (this.#problem !== message) this.onProblem(message);
        this.#problem = message;
        await this.#sleep(pause, false);
        pause = Math.min(pause * 2, MAX_PAUSE_MS);
      }
    }
    publisher.close();
  }

  async #publishNext(publisher: AcknowledgedPublisher): Promise<boolean> {
    this.#woken = false;
    const packed = await this.reader.call('after', { position: this.mark.position, limit: WINDOW });
    const events = unpack(packed);
    if (events.length === 0) return false;
    let before = this.#lastId;
    const messages = events.map((event) => {
      const message = { ...cloudEvent(event), data: event.entry };
      if (this.leads && before !== undefined) message.headers.set('Nats-Expected-Last-Msg-Id', before);
      before = messageId(event);
      return message;
    });
    await publisher.publish(messages, ACK_TIMEOUT_MS);
    this.#lastId = before;
    this.#published += events.length;
    this.mark.advance(events.at(-1)!.position);
    return true;
  }

  async #stillLeads(): Promise<boolean> {
    try {
      return (await this.leads?.()) ?? true;
    } catch {
      return false;
    }
  }

  /** Waits to be woken (unless `wakeable` is false, then only by `stop`), at most `milliseconds`. */
  #sleep(milliseconds: number, wakeable = true): Promise<void> {
    if (this.#stopped || (wakeable && this.#woken)) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.#wake = () => {
        if (wakeable || this.#stopped) finish();
      };
    });
  }
}
