import { leafHash } from '#transparency';
import { describe, expect, it } from '@jest/globals';
import { compareHistories } from './histories.js';

const leaves = (text: string): Buffer[] => [...text].map((letter) => leafHash(Buffer.from(letter)));

describe('compareHistories', () => {
  it.each([
    ['one entry replaced', 'abcdef', 'abXdef', 'rewritten', 12],
    ['two exchanged', 'abcdef', 'adcbef', 'rewritten', 11],
    ['one inserted', 'abcdef', 'abXcdef', 'rewritten', 12],
    ['one taken out', 'abcdef', 'abdef', 'dropped', 12],
    ['another branch', 'abcdef', 'abUVWX', 'forked', 12],
    ['cut off', 'abcdef', 'abcd', 'rolled-back', 14],
    ['another last one', 'abcdef', 'abcdeX', 'forked', 15],
  ])('calls %s by its name', (_, seen, shown, kind, index) => {
    expect(compareHistories(leaves(seen), leaves(shown), 10)).toMatchObject({ kind, index });
  });

  it('knows that the change is older than what is remembered', () => {
    const found = compareHistories(leaves('abc'), leaves('abcd'), 10);
    expect(found).toMatchObject({ kind: 'rewritten', message: expect.stringContaining('before 10') });
    expect(found.index).toBeUndefined();
  });
});
