import type { ReleaseTrace, Unmet } from '#policy';
import { printable } from '../terminal/layout.js';
import { CROSS, TICK, type Style } from '../terminal/style.js';

const WHY: Readonly<Record<Unmet, string>> = {
  CLAIM_MISSING: 'the token does not have it',
  CLAIM_NOT_COMPARABLE: 'it is a list or an object there',
  NOT_A_NUMBER: 'it is no whole number',
  VALUE_DIFFERS: '',
  ISSUER_DIFFERS: '',
};

/** The evaluation as an indented tree, one line for each condition. */
export function traceText(trace: ReleaseTrace, style: Style): string {
  return lines(trace, style, 0).join('\n');
}

function lines(trace: ReleaseTrace, style: Style, depth: number): string[] {
  const mark = trace.ok ? style.good(TICK) : style.bad(CROSS);
  const line = (text: string): string => `${'  '.repeat(depth)}${mark} ${printable(text)}`;
  if (trace.kind === 'claim') {
    const { claim, operator, expected, actual, reason } = trace;
    const is = actual === null ? '' : `, is ${String(actual)}`;
    const why = reason === undefined || WHY[reason] === '' ? '' : ` (${WHY[reason]})`;
    return [line(`${claim} ${operator} ${String(expected)}${is}${why}`)];
  }
  // The outermost list of the grammar has nothing to say of itself.
  if (trace.kind === 'policy') return trace.children.flatMap((child) => lines(child, style, depth));
  const title =
    trace.kind !== 'authority'
      ? trace.kind
      : trace.reason === undefined
        ? `authority ${trace.authority}`
        : `authority ${trace.authority}, the token is of ${trace.issuer || 'nobody'}`;
  return [line(title), ...trace.children.flatMap((child) => lines(child, style, depth + 1))];
}
