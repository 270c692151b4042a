/** Another process sequences the log now: what was to be written is not, and this one must stop. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}
