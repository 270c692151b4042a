/** The few emphases that human output uses. Without colour each is the identity, so that layout never depends on it. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;
const plain = (text: string): string => text;

export function styleFor(colour: boolean): Style {
  return colour
    ? { bold: sgr(1, 22), dim: sgr(2, 22), good: sgr(32, 39), bad: sgr(31, 39), warn: sgr(33, 39) }
    : { bold: plain, dim: plain, good: plain, bad: plain, warn: plain };
}

export const TICK = '✓';
export const CROSS = '✗';
