import { describe, expect, it } from '@jest/globals';
import { columns, printable, wrap } from './layout.js';

describe('wrap', () => {
  it('breaks between words and indents every line', () => {
    expect(wrap('one two three four', 11, '  ')).toBe('  one two\n  three\n  four');
  });

  it('never cuts a word', () => {
    expect(wrap('a https://example.org/very/long b', 10)).toBe('a\nhttps://example.org/very/long\nb');
  });
});

describe('columns', () => {
  it('aligns all but the last', () => {
    expect(
      columns([
        ['name', 'x'],
        ['a', 'longer'],
        ['bcdef', ''],
      ]),
    ).toBe('name   x\na      longer\nbcdef');
  });
});

describe('printable', () => {
  it('takes the power over the terminal from foreign text', () => {
    expect(printable('a\u001b[2Jb\u0007\u202ec\r')).toBe('a\ufffd[2Jb\ufffd\ufffdc\ufffd');
    expect(printable('Zeile 1\n\tümläut ✓')).toBe('Zeile 1\n\tümläut ✓');
  });
});
