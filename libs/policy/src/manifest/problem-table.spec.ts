import { describe, expect, it } from '@jest/globals';
import { lintManifest } from '../index.js';
import { PROBLEM_ROWS } from './problem-rows.js';

describe('every problem', () => {
  const cases = PROBLEM_ROWS.map(([code, severity, marked, suggestion], index) => ({
    index,
    code,
    severity,
    marked,
    suggestion,
  }));
  it.each(cases)('$index $code', ({ code, severity, marked, suggestion }) => {
    const offset = marked.indexOf('‸');
    expect(offset).toBeGreaterThanOrEqual(0);
    const text = marked.replace('‸', '');
    const before = text.slice(0, offset).split('\n');
    const { ok, problems } = lintManifest(text);
    const problem = problems.find((one) => one.code === code && one.severity === severity);
    expect({ found: problem ?? problems }).toMatchObject({
      found: { code, severity, line: before.length, column: before.at(-1)!.length + 1 },
    });
    if (suggestion !== undefined) expect(problem?.suggestion).toBe(suggestion);
    // One mistake gives one finding of its severity; nothing else is dragged along.
    expect(problems.filter((one) => one.severity === 'error').length).toBe(severity === 'error' ? 1 : 0);
    expect(ok).toBe(severity === 'warning');
  });
});
