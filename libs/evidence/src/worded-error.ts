/** An error out of a closed list, each of which completes a sentence. The message is for the operator. */
export abstract class WordedError<Code extends string> extends Error {
  /** @param sentence what is wrong @param detail which part of the input, without its content */
  protected constructor(
    readonly code: Code,
    sentence: string,
    detail: string | undefined,
    { cause }: { cause?: unknown },
  ) {
    super(
      detail === undefined ? sentence : `${sentence}: ${detail}`,
      cause === undefined ? undefined : { cause },
    );
  }
}
