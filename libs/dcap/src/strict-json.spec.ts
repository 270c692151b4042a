import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DcapError } from './error.js';
import { parseJson, parseJsonWithSpans } from './strict-json.js';
import type { Json } from './strict-json.js';

const parse = (text: string): Json => parseJson(text, 'TCB_INFO_INVALID');

/** Maps to plain objects, to compare with JSON.parse. */
function plain(value: Json): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]));
  return Array.isArray(value) ? value.map((item: Json) => plain(item)) : value;
}

describe('parseJson', () => {
  it('agrees with JSON.parse on whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        let parsed: Json;
        try {
          parsed = parse(text);
        } catch (error) {
          // Only a lone surrogate, which JSON.stringify escapes, may be refused.
          expect(text).toMatch(/\\ud[89a-f]/i);
          expect(error).toBeInstanceOf(DcapError);
          return;
        }
        if (!text.includes('__proto__')) expect(plain(parsed)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('never accepts what JSON.parse refuses, and throws nothing but its own error', () => {
    const alphabet = [...'{}[]":,0123456789.eE+-tfnrulsa\\/u \n\t'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 24 }), (characters) => {
        const text = characters.join('');
        try {
          parse(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'TCB_INFO_INVALID' });
          return;
        }
        expect(() => JSON.parse(text) as unknown).not.toThrow();
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['a duplicate key', '{"a":1,"a":1}'],
    ['a duplicate key, once escaped', '{"a":1,"\\u0061":1}'],
    ['a duplicate key deep inside', '[{"x":{"b":1,"b":2}}]'],
    ['text after the value', '{} {}'],
    ['a trailing comma', '[1,]'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['a bare point', '1.'],
    ['a number beyond any', '1e999'],
    ['NaN', 'NaN'],
    ['single quotes', "{'a':1}"],
    ['a control character', '"a\nb"'],
    ['an unknown escape', '"\\x41"'],
    ['a short escape', '"\\u12"'],
    ['an escaped lone surrogate', '"\\ud800"'],
    ['a raw lone surrogate', '"\ud800"'],
    ['a byte order mark', '\ufeff{}'],
    ['a no-break space', '{\u00a0}'],
    ['an unfinished object', '{"a":1'],
    ['nothing', ''],
  ])('refuses %s', (_name, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'TCB_INFO_INVALID' }));
  });

  it('refuses more than 32 levels, quickly', () => {
    expect(() => parse('['.repeat(33) + ']'.repeat(33))).toThrow(/nested too deep/);
    expect(() => parse('['.repeat(1_000_000))).toThrow(/nested too deep/);
    expect(parse('['.repeat(32) + ']'.repeat(32))).toBeDefined();
  });

  it('keeps a key like __proto__ a key', () => {
    const value = parse('{"__proto__":{"polluted":true}}');
    expect(value instanceof Map && [...value.keys()]).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('says where the outermost members stand', () => {
    const text = ' {"x": {"x": [1, 2]} , "y":"}"}';
    const { spans } = parseJsonWithSpans(text, 'TCB_INFO_INVALID');
    const cut = [...spans].map(([key, { start, end }]) => [key, text.slice(start, end)]);
    expect(cut).toEqual([
      ['x', '{"x": [1, 2]}'],
      ['y', '"}"'],
    ]);
  });
});
