import type { TreeHead } from '#transparency';

/**
 * Where replicas agree on the last signed checkpoint of a log (Sunlight's lock backend): it is advanced by
 * compare-and-swap after the tiles are durable and before anybody sees the checkpoint, so that of two processes that
 * believe to lead one publishes. The embedded store needs none: its checkpoint file has one writer.
 */
export interface CheckpointRegister {
  read(): Promise<(TreeHead & { note: string }) | undefined>;
  /** Asked before tiles are written: who was paused meanwhile should not begin. @throws FencedError if the term is over */
  require(): Promise<void>;
  /** @throws FencedError if the register is not at `from`, or the term is over */
  advance(from: number, to: TreeHead, note: string): Promise<void>;
}
