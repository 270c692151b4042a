import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteProvider } from './coordinator-quote.js';
import { goJsonText } from './go-json-text.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-quote-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const REPORT_DATA = randomBytes(32);

describe("the coordinator's own quote", () => {
  it('is none where there is none', async () => {
    expect(await quoteProvider({ kind: 'none' }).quote(REPORT_DATA)).toBeUndefined();
  });

  it("is read from Gramine's pseudo files, over the report data, and gets its header", async () => {
    const quote = randomBytes(100);
    writeFileSync(join(dir, 'quote'), quote);
    const made = await quoteProvider({ kind: 'gramine', dir }).quote(REPORT_DATA);
    expect(readFileSync(join(dir, 'user_report_data'))).toEqual(
      Buffer.concat([REPORT_DATA, Buffer.alloc(32)]),
    );
    expect(made?.subarray(0, 16).toString('hex')).toBe('01000000020000006400000000000000');
    expect(made?.subarray(16)).toEqual(quote);
    writeFileSync(join(dir, 'quote'), made!);
    expect(await quoteProvider({ kind: 'gramine', dir }).quote(REPORT_DATA)).toEqual(made);
  });

  it('comes from a program that sees the report data and no environment', async () => {
    const program = join(dir, 'quote.sh');
    writeFileSync(program, '#!/bin/sh\nprintf "%s|%s|%s" "$1" "$2" "$SIEGEL_TEST"\n');
    chmodSync(program, 0o700);
    process.env['SIEGEL_TEST'] = 'leaked';
    try {
      const made = await quoteProvider({ kind: 'exec', command: [program, 'first'] }).quote(REPORT_DATA);
      expect(made?.subarray(16).toString()).toBe(`first|${REPORT_DATA.toString('hex')}${'0'.repeat(64)}|`);
    } finally {
      delete process.env['SIEGEL_TEST'];
    }
  });

  it('fails where the provider does, and is not asked for by too many at once', async () => {
    writeFileSync(join(dir, 'quote'), '');
    const provider = quoteProvider({ kind: 'gramine', dir });
    await expect(provider.quote(REPORT_DATA)).rejects.toThrow('a quote of 0 bytes');
    const all = await Promise.allSettled(Array.from({ length: 100 }, () => provider.quote(REPORT_DATA)));
    const reasons = all.map((each) => String((each as PromiseRejectedResult).reason));
    expect(reasons.filter((reason) => !reason.includes('a quote of 0 bytes'))).toHaveLength(36);
    await expect(
      quoteProvider({ kind: 'exec', command: ['/nonexistent'] }).quote(REPORT_DATA),
    ).rejects.toThrow();
  });
});

describe("Go's JSON text", () => {
  it('escapes as Go does, keeps 64 bits, and sorts maps by their bytes', () => {
    expect(goJsonText({ a: '<&>\u2028"\n', b: 2n ** 64n - 1n, c: undefined, d: null, e: [1, true] })).toBe(
      '{"a":"\\u003c\\u0026\\u003e\\u2028\\"\\n","b":18446744073709551615,"d":null,"e":[1,true]}',
    );
    expect(
      goJsonText(
        new Map<string, unknown>([
          ['b', Buffer.from('x')],
          ['B', null],
          ['a', 'y'],
        ]),
      ),
    ).toBe('{"B":null,"a":"y","b":"eA=="}');
  });
});
