import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { SealedTexts } from './sealed-text.js';

const [old, current] = [randomBytes(32), randomBytes(32)];
const texts = SealedTexts.under([current, old], 'enrolment');

describe('sealed texts', () => {
  it('come back as they were, also from before a key was replaced', () => {
    expect(texts.open(texts.seal('text ü'))).toBe('text ü');
    expect(texts.open(SealedTexts.under([old], 'enrolment').seal('before'))).toBe('before');
  });

  it('are not believed under another key, for another use, altered, or in pieces', () => {
    const sealed = texts.seal('text');
    const [body, tag] = sealed.split('.') as [string, string];
    const others = [
      SealedTexts.under([randomBytes(32)], 'enrolment').seal('text'),
      SealedTexts.under([current], 'access token').seal('text'),
      `${Buffer.from('texT').toString('base64url')}.${tag}`,
      `${body}.`,
      body,
      `${sealed}.more`,
      '',
      '.',
    ];
    for (const other of others) expect(texts.open(other)).toBeUndefined();
  });
});
