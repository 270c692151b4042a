import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { argvReferences, renderArgv } from './index.js';

const values = new Map([
  ['PASS', 'p$(USER)$$'],
  ['USER', 'u'],
]);

describe('renderArgv', () => {
  it.each([
    ['--p=$(PASS)', '--p=p$(USER)$$'],
    ['$(USER):$(USER)', 'u:u'],
    ['$$(USER)', '$(USER)'],
    ['$$$(USER)', '$u'],
    ['$(NOBODY)', '$(NOBODY)'],
    ['$USER ${USER} $( USER)', '$USER ${USER} $( USER)'],
    ['$', '$'],
  ])('turns %s into %s', (argument, expected) => {
    expect(renderArgv([argument], values)).toEqual([expected]);
  });

  it('never looks at a value again and keeps arguments apart', () => {
    fc.assert(
      fc.property(fc.string(), (secret) => {
        expect(renderArgv(['a', '$(S)', 'b'], new Map([['S', secret]]))).toEqual(['a', secret, 'b']);
      }),
    );
  });

  it('is read the same way by argvReferences', () => {
    expect(argvReferences('$(A)$$(B)$(C.d-e)')).toEqual(['A', 'C.d-e']);
  });
});
