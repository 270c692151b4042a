import { describe, expect, it } from '@jest/globals';
import { didYouMean } from './spelling.js';

const KEYS = ['mrenclave', 'mrsigner', 'isvprodid', 'isvsvn', 'env', 'file', 'UpToDate', 'SWHardeningNeeded'];

describe('didYouMean', () => {
  it.each([
    ['mrenlcave', 'mrenclave'],
    ['MR_ENCLAVE', 'mrenclave'],
    ['mr-signer', 'mrsigner'],
    ['isvProdId', 'isvprodid'],
    ['fiel', 'file'],
    ['environment', 'env'],
    ['swHardening', 'SWHardeningNeeded'],
    ['zzz', undefined],
    ['', undefined],
    ['e'.repeat(65), undefined],
  ])('%s: %s', (word, expected) => {
    expect(didYouMean(word, KEYS)).toBe(expected);
  });
});
