import type { KV } from '@nats-io/kv';
import { describe, expect, it } from '@jest/globals';
import { Lease } from './lease.js';

/** One key with revisions, as the broker keeps it. */
class OneKey {
  value: string | undefined;
  revision = 0;
  readonly kv = {
    get: async () =>
      this.value === undefined
        ? null
        : { operation: 'PUT', value: Buffer.from(this.value), revision: this.revision },
    create: async (_name: string, value: string) => {
      if (this.value !== undefined) throw lost();
      return this.set(value);
    },
    update: async (_name: string, value: string, revision: number) => {
      if (revision !== this.revision) throw lost();
      return this.set(value);
    },
    delete: async (_name: string, { previousSeq }: { previousSeq: number }) => {
      if (previousSeq !== this.revision) throw lost();
      this.value = undefined;
      this.revision++;
    },
  } as unknown as KV;

  private set(value: string): number {
    this.value = value;
    return ++this.revision;
  }
}
const lost = () => Object.assign(new Error('wrong last sequence'), { code: 10071 });

describe('Lease', () => {
  it('is one replica’s at a time, until it is released or runs out', async () => {
    const key = new OneKey();
    let now = 1_000_000;
    const [one, two] = [1, 2].map(
      () =>
        new Lease(
          () => key.kv,
          'l.x',
          () => now,
        ),
    ) as [Lease, Lease];
    expect(await one.take()).toBe(true);
    expect(await two.take()).toBe(false);
    expect(await one.take()).toBe(true);
    now += 6_000;
    expect(await one.take()).toBe(true);
    now += 10_000;
    expect(await two.take()).toBe(false);
    now += 6_000;
    expect(await two.take()).toBe(true);
    await one.release();
    expect(key.value).toBeDefined();
    await two.release();
    expect(key.value).toBeUndefined();
    expect(await one.take()).toBe(true);
  });

  it.each([
    ['not JSON', 'x'],
    ['without an end', '{"holder":"b"}'],
    ['longer than any of ours', '{"holder":"b","until":9999999999999}'],
    ['over', '{"holder":"b","until":999999}'],
  ])('one that is %s holds nobody up', async (_name, value) => {
    const key = new OneKey();
    await key.kv.create('l.x', value);
    expect(
      await new Lease(
        () => key.kv,
        'l.x',
        () => 1_000_000,
      ).take(),
    ).toBe(true);
  });

  it('loses a race without noise', async () => {
    const key = new OneKey();
    const racing = { ...key.kv, create: () => Promise.reject(lost()) } as unknown as KV;
    expect(await new Lease(() => racing, 'l.x').take()).toBe(false);
  });
});
