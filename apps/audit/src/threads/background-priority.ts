import { setPriority } from 'node:os';

/** Nice value of background threads: under load they still get about a tenth of a core. */
const BACKGROUND = 10;

/**
 * Lets the calling thread step back behind whoever waits for an answer. On Linux a priority belongs to a thread, and the kernel lets
 * anybody lower his own; elsewhere it belongs to the process, so nothing is done there. To be called first in a thread whose work
 * nobody awaits: index and tiles, what is read to be published.
 */
export function yieldToRequests(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(BACKGROUND);
  } catch {
    // A sandbox may forbid even that; the thread then works with the priority of the others.
  }
}
