import { z } from 'zod';
import type { TextFormat } from './formats.js';

/** Text of a named format; the format's code and repair are found again by its pattern. */
export function text(format: TextFormat): z.ZodString {
  return z.string().regex(format.pattern).describe(format.what);
}

/** A non-empty list. */
export function list<T extends z.ZodType>(item: T, max: number): z.ZodArray<T> {
  return z.array(item).min(1).max(max);
}

/** Free text for people: one line or several, no control characters but line breaks and tabs. */
export function prose(max: number): z.ZodString {
  return z.string().max(max);
}
