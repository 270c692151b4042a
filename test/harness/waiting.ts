import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything may take on a machine that is shared with other work. */
export const PATIENCE_MS = 60_000;

/** Asks again and again until the answer is there. @throws Error that names `what` when the patience is at its end */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const until = Date.now() + patienceMs;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = `: ${(error as Error).message}`;
    }
    if (Date.now() > until) throw new Error(`${what} did not come true in ${patienceMs / 1_000} s${last}`);
    await sleep(20);
  }
}
