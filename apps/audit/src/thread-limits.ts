import type { ResourceLimits } from 'node:worker_threads';

/**
 * Heap of a thread. It is small on purpose: what passes through a thread is a page of entries at a time, and V8's
 * defaults would let each of three threads keep tens of megabytes of garbage.
 */
export const THREAD_LIMITS: ResourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };
