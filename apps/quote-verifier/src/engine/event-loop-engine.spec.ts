import { describe, expect, it } from '@jest/globals';
import type { Attempt } from './attempt.js';
import { EventLoopEngine } from './event-loop-engine.js';
import type { VerdictMaker } from './verdict-maker.js';
import { MAX_WAITING } from './verification-engine.js';

/** Work of a known length in place of a verification. */
function maker(milliseconds: number): { made: number[]; maker: VerdictMaker } {
  const made: number[] = [];
  const attempt = (body: Uint8Array): Attempt => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    made.push(body[0] as number);
    return { kind: 'reply', body: String(body[0]), verified: true, code: 'VERIFIED' };
  };
  return { made, maker: { attempt } as unknown as VerdictMaker };
}

const engineOf = (work: VerdictMaker): EventLoopEngine =>
  new EventLoopEngine(work, { anchors: [], graceSeconds: 0 }, () => new Date());

describe('EventLoopEngine', () => {
  it('lets the event loop go on between requests of a burst, and answers in their order', async () => {
    const { made, maker: work } = maker(1);
    const engine = engineOf(work);
    const perTurn: number[] = [];
    let before = 0;
    let going = true;
    const watch = (): void => {
      perTurn.push(made.length - before);
      before = made.length;
      if (going) setImmediate(watch);
    };
    setImmediate(watch);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => engine.attempt(Uint8Array.of(i))),
    );
    going = false;
    expect(made).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(answers.map((answer) => answer.kind === 'reply' && answer.body)).toEqual(made.map(String));
    // Slices of 2 ms and one request: three requests of 1 ms at most.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(3);
  });

  it('refuses what exceeds its queue', async () => {
    const { maker: work } = maker(0);
    const engine = engineOf({
      attempt: (body: Uint8Array) => {
        const end = performance.now() + 3;
        while (body[0] === 255 && performance.now() < end);
        return work.attempt(body);
      },
    } as VerdictMaker);
    const first = engine.attempt(Uint8Array.of(255));
    const rest = Array.from({ length: MAX_WAITING + 5 }, () => engine.attempt(Uint8Array.of(1)));
    const answers = await Promise.all([first, ...rest]);
    expect(answers.filter((answer) => answer.kind === 'error' && answer.code === 'OVERLOADED')).toHaveLength(
      5,
    );
    expect(await engine.attempt(Uint8Array.of(1))).toMatchObject({ kind: 'reply' });
  });

  it('finishes what waits when it is closed', async () => {
    const { made, maker: work } = maker(1);
    const engine = engineOf(work);
    const asked = Array.from({ length: 20 }, (_, i) => engine.attempt(Uint8Array.of(i)));
    await engine.close();
    expect(made).toHaveLength(20);
    await Promise.all(asked);
  });
});
