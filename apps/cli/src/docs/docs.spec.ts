import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutFolder } from '../checkout.js';
import { withReference } from './command-reference.js';
import { errorsPage } from './errors-page.js';

const page = (name: string): string => readFileSync(join(checkoutFolder(), 'docs', name), 'utf8');
const UP_TO_DATE = 'up to date; else run: node scripts/generate-docs.mjs';

describe('docs', () => {
  // Help shows the ports that the environment sets; the pages show the presets.
  beforeAll(() => {
    for (const name of Object.keys(process.env)) if (/^SIEGEL_\w+_PORT$/.test(name)) delete process.env[name];
  });

  it(`errors.md is ${UP_TO_DATE}`, () => {
    expect(page('errors.md')).toBe(errorsPage());
  });

  it(`cli.md is ${UP_TO_DATE}`, () => {
    expect(page('cli.md')).toBe(withReference(page('cli.md')));
  });

  it('explains every code with a meaning and something to do', () => {
    const items = errorsPage().match(/^- \*\*`[A-Z][A-Z0-9_]*`\*\*.*$/gm) ?? [];
    expect(items.length).toBeGreaterThan(150);
    for (const item of items) expect(item).toMatch(/: \S.{10,}[.!?]$/);
  });
});
