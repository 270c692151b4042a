import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ConfigurationError, flag, list, port, readEnvironment } from './environment.js';

const schema = z.object({
  NAME: z.string(),
  PORT: port.default(1),
  ON: flag.default(false),
  HOSTS: list.default([]),
});

describe('readEnvironment', () => {
  it('validates, converts and fills in defaults', () => {
    expect(readEnvironment(schema, { NAME: 'a', PORT: '8443', ON: 'true', HOSTS: ' a, b ,,' })).toEqual({
      NAME: 'a',
      PORT: 8443,
      ON: true,
      HOSTS: ['a', 'b'],
    });
  });

  it('treats an empty variable as absent', () => {
    expect(readEnvironment(schema, { NAME: 'a', PORT: '' }).PORT).toBe(1);
  });

  it.each([
    ['NAME', {}, /NAME: is required but not set/],
    ['NAME', { NAME: '' }, /NAME: is required but not set/],
    ['PORT', { NAME: 'a', PORT: '70000' }, /PORT: /],
    ['PORT', { NAME: 'a', PORT: 'eighty' }, /PORT: /],
    ['ON', { NAME: 'a', ON: 'yes' }, /ON: /],
  ])('names %s when it is wrong', (variable, env, message) => {
    let thrown: unknown;
    try {
      readEnvironment(schema, env);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect((thrown as ConfigurationError).problems[0]?.variable).toBe(variable);
    expect((thrown as ConfigurationError).message).toMatch(message);
  });

  it('names every variable that is wrong, not only the first', () => {
    expect(() => readEnvironment(schema, { PORT: 'x' })).toThrow(/NAME: .*PORT: |PORT: .*NAME: /);
  });
});
