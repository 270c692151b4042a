import { describe, expect, it } from '@jest/globals';
import { SiegelError } from '#contracts';
import { z } from 'zod';
import { schemaPipe } from './schema-pipe.js';

const schema = z.strictObject({
  name: z.string().max(4),
  inner: z.object({ name: z.string().max(4) }).optional(),
});

async function refusal(value: unknown, ...options: Parameters<typeof schemaPipe>): Promise<SiegelError> {
  try {
    await schemaPipe(...options).transform(value, { type: 'body', schema } as never);
  } catch (error) {
    if (error instanceof SiegelError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('schemaPipe', () => {
  it('hands on what the schema makes of a value', async () => {
    const value = await schemaPipe().transform({ name: 'abc' }, { type: 'body', schema } as never);
    expect(value).toEqual({ name: 'abc' });
  });

  it('names the members that are wrong, never their values', async () => {
    const error = await refusal({ name: 7, secret: 'hunter2' });
    expect(error.code).toBe('REQUEST_MALFORMED');
    expect(error.detail).toContain('name: ');
    expect(error.detail).not.toContain('hunter2');
  });

  it('has the code that the endpoint names', async () => {
    expect((await refusal({}, 'QUERY_INVALID')).code).toBe('QUERY_INVALID');
  });

  it('has a code of its own for a member that is too long, where there is one', async () => {
    const tooLarge = { name: 'EVIDENCE_TOO_LARGE' } as const;
    expect((await refusal({ name: 'x'.repeat(5) }, 'REQUEST_MALFORMED', tooLarge)).code).toBe(
      'EVIDENCE_TOO_LARGE',
    );
    expect((await refusal({ name: 7 }, 'REQUEST_MALFORMED', tooLarge)).code).toBe('REQUEST_MALFORMED');
    expect((await refusal({ name: 'x'.repeat(5) })).code).toBe('REQUEST_MALFORMED');
    const inner = { name: 'a', inner: { name: 'x'.repeat(5) } };
    expect((await refusal(inner, 'REQUEST_MALFORMED', tooLarge)).code).toBe('REQUEST_MALFORMED');
  });

  it('keeps its answer short', async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_unused, at) => [`k${at}`, at]));
    expect((await refusal({ name: 'a', ...many })).detail!.length).toBeLessThanOrEqual(1_000);
  });
});
