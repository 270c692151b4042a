import { setTimeout as sleep } from 'node:timers/promises';
import { isVaultError, type SecretSource } from '#vault';

export interface FleetResult {
  readonly boots: number;
  readonly errors: number;
  /** From the first boot to the last release. */
  readonly lastReleaseMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const BATCH_MS = 10;
// Microsoft's ladder for a client that is throttled (key-vault/general/overview-throttling).
const LADDER_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** How one enclave gets one secret. */
export type Read = (objectName: string) => Promise<unknown>;

/** Lets `boots` enclaves start, spread evenly over `overMs`; each reads all secrets and is done when it has them. */
export async function runFleet(
  boots: number,
  overMs: number,
  secrets: readonly string[],
  read: Read,
): Promise<FleetResult> {
  const started = performance.now();
  const latencies: number[] = [];
  let errors = 0;
  const boot = async (): Promise<void> => {
    const begun = performance.now();
    try {
      await Promise.all(secrets.map(read));
      latencies.push(performance.now() - begun);
    } catch {
      errors++;
    }
  };
  const running: Promise<void>[] = [];
  while (running.length < boots) {
    const due = Math.min(boots, Math.ceil((boots * (performance.now() - started + BATCH_MS)) / overMs));
    while (running.length < due) running.push(boot());
    await sleep(BATCH_MS);
  }
  await Promise.all(running);
  const lastReleaseMs = performance.now() - started;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  return { boots, errors, lastReleaseMs, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** All enclaves of the fleet through one reader. */
export const throughReader =
  (reader: SecretSource): Read =>
  (objectName) =>
    reader.getSecret({ objectName });

/**
 * Each enclave on its own: it asks the vault, and when it is throttled it does what Microsoft's guidance says, with full jitter,
 * for as long as it takes. (The SDK itself would give up at once: the vault sends no Retry-After.)
 */
export const onItsOwn =
  (vault: SecretSource): Read =>
  async (objectName) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await vault.getSecret({ objectName });
      } catch (error) {
        if (!isVaultError(error) || !error.transient) throw error;
        const ceiling = LADDER_MS[Math.min(attempt, LADDER_MS.length - 1)] ?? 16_000;
        await sleep(Math.random() * ceiling);
      }
    }
  };
