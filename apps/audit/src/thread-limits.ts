import type { ResourceLimits } from 'node:worker_threads';

/**
 * Heap of a thread. The young generation is small on purpose: what passes through a thread is a page of entries at a
 * time, and V8's default would let each of three threads keep tens of megabytes of garbage.
 */
export const THREAD_LIMITS: ResourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 160 };
