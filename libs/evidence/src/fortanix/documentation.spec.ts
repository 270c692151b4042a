import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { EM_APP_ERRORS } from './em-app-error.js';

describe('docs/wrappers/fortanix.md', () => {
  it('explains every reason as the catalogue does', () => {
    const page = readFileSync(new URL('../../../../docs/wrappers/fortanix.md', import.meta.url), 'utf8');
    for (const [code, meaning] of Object.entries(EM_APP_ERRORS))
      expect(page).toContain(`| \`${code}\` | the request ${meaning}`);
  });
});
