import { STREAMS, SUBJECTS } from '#contracts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { AuditDeployment, natsServerBinary, TestEmitter, until } from '../../../../test/audit-deployment.js';
import type { PackedEvents } from '../query/packed-events.js';
import type { Reader } from '../query/reader.js';
import { Distributor } from './distributor.js';

const ORIGIN = 'siegel.test/default';
const WINDOW_MS = 1_000;
const STREAM = { maxAgeHours: 0, replicas: 1 };

/** A log in memory: what the reader thread would give. */
class MemoryLog {
  readonly entries: Buffer[] = [];

  readonly reader = {
    call: (
      _name: string,
      { position, limit }: { position: number; limit: number },
    ): Promise<PackedEvents> => {
      const entries = this.entries.slice(position, position + limit);
      const events = entries.map(({ length }, i) => {
        const index = position + i;
        return { position: index + 1, log: ORIGIN, index, time: 1, length };
      });
      const bytes = Uint8Array.from(Buffer.concat(entries));
      return Promise.resolve({ bytes: bytes.buffer, events });
    },
  } as unknown as Reader;
}

class MemoryMark {
  position = 0;
  advance(position: number): void {
    this.position = position;
  }
  save(): void {}
}

(natsServerBinary() ? describe : describe.skip)('distributors that take turns', () => {
  const deployment = new AuditDeployment();
  const log = new MemoryLog();
  const emitter = new TestEmitter(deployment.emitterKey);
  const append = (count: number): void => {
    for (let i = 0; i < count; i++) log.entries.push(emitter.event().entry);
  };
  const started: Distributor[] = [];
  let manager: JetStreamManager;

  beforeAll(async () => {
    await deployment.startNats();
    manager = await jetstreamManager(await deployment.connect('operator'));
    // Repetitions are recognised for so short a time here that a paused leader outlasts it.
    await manager.streams.add({
      name: STREAMS.events,
      subjects: [`${SUBJECTS.events}.>`],
      duplicate_window: nanos(WINDOW_MS),
    });
  }, 30_000);
  afterAll(async () => {
    await Promise.all(started.map((distributor) => distributor.stop()));
    await deployment.close();
  });

  const stored = async (): Promise<number[]> => {
    const { state } = await manager.streams.info(STREAMS.events);
    const indexes: number[] = [];
    for (let seq = 1; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(STREAMS.events, { seq });
      indexes.push(Number(message!.header.get('ce-siegelindex')));
    }
    return indexes;
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

  it('leave one sequence, though the former one goes on after the time in which repetitions are known', async () => {
    let leader = 'former';
    let asked = 0;
    const distributorOf = async (name: string, mark: MemoryMark) => {
      const nats = await deployment.connect('audit');
      const distributor = new Distributor(
        nats,
        log.reader,
        mark,
        STREAM,
        () => undefined,
        () => {
          asked++;
          return Promise.resolve(leader === name);
        },
      );
      started.push(distributor);
      return distributor;
    };
    const formerMark = new MemoryMark();
    const former = await distributorOf('former', formerMark);
    append(10);
    former.start();
    await until(() => formerMark.position === 10, 10_000, 'not distributed');
    // The former leader is paused here: it does not learn of anything.
    leader = 'next';
    const mark = new MemoryMark();
    mark.position = 7;
    append(10);
    const next = await distributorOf('next', mark);
    next.start();
    await until(() => mark.position === 20, 10_000, 'not distributed by the next');
    expect(await stored()).toEqual(numbers(20));
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS + 500));
    former.wake();
    await until(() => asked > 0, 5_000, 'the former leader was not refused');
    await former.stop();
    expect(formerMark.position).toBe(10);
    append(3);
    next.wake();
    await until(() => mark.position === 23, 10_000, 'not distributed after that');
    await next.stop();
    expect(await stored()).toEqual(numbers(23));
  }, 30_000);

  it('go on where the stream was made anew', async () => {
    const mark = new MemoryMark();
    mark.position = 23;
    const nats = await deployment.connect('audit');
    const distributor = new Distributor(
      nats,
      log.reader,
      mark,
      STREAM,
      () => undefined,
      () => Promise.resolve(true),
    );
    started.push(distributor);
    append(2);
    distributor.start();
    await until(() => mark.position === 25, 10_000, 'not distributed');
    await manager.streams.delete(STREAMS.events);
    append(2);
    distributor.wake();
    await until(() => mark.position === 27, 15_000, 'not distributed to the new stream');
    await distributor.stop();
    expect(await stored()).toEqual([25, 26]);
  }, 30_000);
});
