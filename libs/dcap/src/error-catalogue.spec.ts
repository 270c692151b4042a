import { describe, expect, it } from '@jest/globals';
import { BROKEN_COLLATERAL, BROKEN_QUOTES } from '#simulator';
import { DCAP_ERRORS } from './error-catalogue.js';
import { DcapError, inStep } from './error.js';

/** Codes for the caller's own mistakes and for defects: no evidence leads to them. */
const NOT_FROM_EVIDENCE = ['OPTIONS_INVALID', 'CLOCK_INVALID', 'INTERNAL_ERROR'];
describe('the catalogue', () => {
  it('says for each code what it means and what to do', () => {
    for (const [code, { meaning, remedy }] of Object.entries(DCAP_ERRORS)) {
      expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
      expect(meaning).toMatch(/^[A-Z].*\.$/);
      expect(remedy).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('has evidence in the corpus for every code that evidence can lead to', () => {
    const provoked = new Set<string>(
      [...BROKEN_QUOTES, ...BROKEN_COLLATERAL].map(({ expectedCode }) => expectedCode),
    );
    const missing = Object.keys(DCAP_ERRORS).filter(
      (code) => !provoked.has(code) && !NOT_FROM_EVIDENCE.includes(code),
    );
    expect(missing).toEqual([]);
  });
});

describe('inStep', () => {
  it('names the check, keeps an inner name, and lets nothing raw out', () => {
    const thrown = (check: () => unknown): DcapError => {
      try {
        check();
      } catch (error) {
        return error as DcapError;
      }
      throw new Error('nothing was thrown');
    };
    const refuse = (): never => {
      throw new DcapError('PEM_INVALID', 'x');
    };
    expect(thrown(() => inStep('pck-chain', refuse))).toMatchObject({
      code: 'PEM_INVALID',
      step: 'pck-chain',
    });
    expect(thrown(() => inStep('tcb-info', () => inStep('pck-chain', refuse)))).toMatchObject({
      step: 'pck-chain',
    });
    const raw = thrown(() =>
      inStep('qe-identity', () => {
        throw new TypeError('secret words');
      }),
    );
    expect(raw).toBeInstanceOf(DcapError);
    expect(raw).toMatchObject({ code: 'INTERNAL_ERROR', step: 'qe-identity' });
    expect(raw.message).not.toContain('secret words');
  });
});
