import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ERROR_CATALOGUE, isErrorCode } from './catalogue.js';
import { asSiegelError, errorFromWire, problemOf, SiegelError } from './siegel-error.js';

describe('the error catalogue', () => {
  it.each(Object.entries(ERROR_CATALOGUE))('%s says what happened and what to do', (code, entry) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(entry.title).toMatch(/\.$/);
    expect(entry.remedy).toMatch(/\.$/);
    expect(entry.http).toBeGreaterThanOrEqual(400);
    expect(entry.http).toBeLessThan(600);
    expect(entry.grpc).toBeGreaterThanOrEqual(1);
    expect(entry.grpc).toBeLessThanOrEqual(16);
  });

  it('has every code of every area, and none of two', async () => {
    const folder = join(import.meta.dirname, 'areas');
    const areas = await Promise.all(
      readdirSync(folder).map((file) => import(pathToFileURL(join(folder, file)).href)),
    );
    const codes = areas
      .flatMap((area) => Object.values(area as object))
      .flatMap((codes) => Object.keys(codes));
    expect(codes.sort()).toEqual(Object.keys(ERROR_CATALOGUE).sort());
  });

  it('knows its own codes and no inherited names', () => {
    expect(isErrorCode('INTERNAL')).toBe(true);
    expect(isErrorCode('constructor')).toBe(false);
  });
});

describe('SiegelError', () => {
  it('keeps the reason for the operator out of the problem', () => {
    const error = new SiegelError('RELEASE_DENIED', {
      reason: { code: 'X', message: 'isvsvn 3 is below 5' },
    });
    expect(JSON.stringify(problemOf(error))).not.toContain('isvsvn');
  });

  it('lets no extension replace a member of the problem', () => {
    const error = new SiegelError('MANIFEST_INVALID', {
      extensions: { problems: [1], status: 200, code: 'OK' },
    });
    expect(problemOf(error)).toMatchObject({ problems: [1], status: 400, code: 'MANIFEST_INVALID' });
  });

  it('comes over the wire as itself, and an unknown code as an internal error', () => {
    expect(errorFromWire('AUDIT_BACKPRESSURE', '')).toMatchObject({
      code: 'AUDIT_BACKPRESSURE',
      detail: undefined,
    });
    expect(errorFromWire('toString', 'x')).toMatchObject({ code: 'INTERNAL' });
  });

  it('hides what it did not foresee', () => {
    const cause = new Error('x');
    expect(asSiegelError(cause)).toMatchObject({ code: 'INTERNAL', cause });
  });
});
