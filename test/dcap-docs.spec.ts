import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DCAP_ERRORS } from '#dcap';

const page = readFileSync(join(process.cwd(), 'docs', 'verification.md'), 'utf8');

describe('docs/verification.md', () => {
  it('maps every refusal code to its rule', () => {
    expect(Object.keys(DCAP_ERRORS).filter((code) => !page.includes(code))).toEqual([]);
  });

  it('names only files that exist', () => {
    const named = [...page.matchAll(/`([\w/-]+(?:\.spec)?\.ts)`/g)].map(([, name = '']) => name);
    const missing = named.filter(
      (name) =>
        !existsSync(join(process.cwd(), name)) && !existsSync(join(process.cwd(), 'libs/dcap/src', name)),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(missing).toEqual([]);
  });
});
