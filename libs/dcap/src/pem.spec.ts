import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodePem, singleCertificateFromText, splitPemChain } from './pem.js';

const A = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
const B = Buffer.from(Array.from({ length: 100 }, (_, i) => 255 - i));
const chain = `${encodePem(A)}\n${encodePem(B)}\n`;
const refuses = (text: string): void => {
  expect(() => splitPemChain(text)).toThrow(expect.objectContaining({ code: 'PEM_INVALID' }));
};

describe('splitPemChain', () => {
  it.each([
    ['a line end at the end', chain],
    ['none', chain.trimEnd()],
    ['a line end and NUL, as quotes have it', `${chain}\0`],
    ['CRLF throughout', chain.replaceAll('\n', '\r\n')],
    ['no line end between certificates', encodePem(A) + encodePem(B)],
    ['lines of 76 characters in the first', `${encodePem(A, '\n', 76)}\n${encodePem(B)}`],
    ['one line', `${encodePem(A, '\n', 1000)}\n${encodePem(B)}`],
  ])('accepts %s', (_name, text) => {
    expect(splitPemChain(text)).toEqual([A, B]);
    expect(splitPemChain(Buffer.from(text))).toEqual([A, B]);
  });

  it.each([
    ['nothing', ''],
    ['only a NUL', '\0'],
    ['two NULs', `${chain}\0\0`],
    ['a NUL without a line end', `${chain.trimEnd()}\0`],
    ['a blank line at the end', `${chain}\n`],
    ['a blank line between', `${encodePem(A)}\n\n${encodePem(B)}`],
    ['text before', `x${chain}`],
    ['text between', `${encodePem(A)}\nx\n${encodePem(B)}`],
    ['text after', `${chain}x`],
    ['mixed line ends', chain.replace('\n', '\r\n')],
    ['another label', chain.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
    ['no end', chain.slice(0, chain.length - 26)],
    ['unequal lines', `${encodePem(A).replace('\n', '\n ').replace(' ', '')}`.replace(/(\n.{10})/, '$1\n')],
    ['padding bits', chain.replace('==', '=x')],
    ['a space', chain.replace('A', ' A')],
    ['too many certificates', encodePem(A).concat('\n').repeat(5)],
    ['a certificate that is too large', encodePem(Buffer.alloc(20_000))],
  ])('refuses %s', (_name, text) => {
    refuses(text);
  });

  it('changes a certificate or is refused when any byte changes', () => {
    const whole = Buffer.from(`${chain}\0`);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] as number) ^ mask;
        let ders: Buffer[];
        try {
          ders = splitPemChain(changed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'PEM_INVALID' });
          return;
        }
        expect(ders).not.toEqual([A, B]);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('singleCertificateFromText', () => {
  it('reads a certificate among other text', () => {
    expect(singleCertificateFromText(`root:\n${encodePem(A, '\r\n', 40)}\n-- \n`)).toEqual(A);
  });

  it('refuses none and two', () => {
    for (const text of ['', chain]) {
      expect(() => singleCertificateFromText(text)).toThrow(expect.objectContaining({ code: 'PEM_INVALID' }));
    }
  });
});
