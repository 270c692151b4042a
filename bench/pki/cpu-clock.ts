/** CPU time of one operation in microseconds: the median of several rounds, with their extremes. */
export interface CpuFigure {
  medianUs: number;
  minUs: number;
  maxUs: number;
}

const ROUNDS = 7;

/**
 * Measures the CPU time of all threads of this process per call (jose works on the thread pool, which wall-clock
 * time of concurrent calls would hide). `operations` is per round, after a warm-up of a fifth of it.
 */
export async function cpuPerCall(operations: number, call: () => unknown): Promise<CpuFigure> {
  for (let count = 0; count < operations / 5; count += 1) await call();
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let count = 0; count < operations; count += 1) {
      const result = call();
      // Awaiting what is no promise would charge synchronous work with a turn of the queue.
      if (result instanceof Promise) await result;
    }
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / operations);
  }
  rounds.sort((a, b) => a - b);
  const at = (index: number): number => Math.round((rounds[index] ?? NaN) * 10) / 10;
  return { medianUs: at(Math.floor(ROUNDS / 2)), minUs: at(0), maxUs: at(ROUNDS - 1) };
}
