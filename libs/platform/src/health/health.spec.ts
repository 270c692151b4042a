import { describe, expect, it } from '@jest/globals';
import { HealthRegistry } from './health.js';

describe('HealthRegistry', () => {
  it('is ready when everything that was registered is', async () => {
    const health = new HealthRegistry();
    expect(await health.ready()).toEqual({ ok: true, checks: {} });
    health.register('a', () => ({ ok: true }));
    health.register('b', async () => ({ ok: true, detail: 'two' }));
    expect(await health.ready()).toEqual({
      ok: true,
      checks: { a: { ok: true }, b: { ok: true, detail: 'two' } },
    });
  });

  it('names what is not', async () => {
    const health = new HealthRegistry();
    health.register('a', () => ({ ok: true }));
    health.register('b', () => ({ ok: false, detail: 'away' }));
    expect(await health.ready()).toEqual({
      ok: false,
      checks: { a: { ok: true }, b: { ok: false, detail: 'away' } },
    });
  });

  it('takes a check that throws for a failed one', async () => {
    const health = new HealthRegistry();
    health.register('thrown', () => {
      throw new Error('broken');
    });
    health.register('rejected', () => Promise.reject(new Error('lost')));
    expect(await health.ready()).toEqual({
      ok: false,
      checks: { thrown: { ok: false, detail: 'broken' }, rejected: { ok: false, detail: 'lost' } },
    });
  });

  it('does not wait for a check that never ends', async () => {
    const health = new HealthRegistry();
    health.register('stuck', () => new Promise(() => undefined));
    expect((await health.ready()).checks).toEqual({ stuck: { ok: false, detail: 'no answer in time' } });
  });

  it('is not ready while it drains, whatever the checks say', async () => {
    const health = new HealthRegistry();
    health.register('a', () => ({ ok: true }));
    health.drain();
    expect(await health.ready()).toMatchObject({
      ok: false,
      checks: { a: { ok: true }, drain: { ok: false } },
    });
  });
});
