import { describe, expect, it } from '@jest/globals';
import { ERROR_CATALOGUE, problemOf, SiegelError } from '#contracts';
import {
  BadRequestException,
  ForbiddenException,
  NotFoundException,
  PayloadTooLargeException,
} from '@nestjs/common';
import { asHttpError } from './problem-filter.js';

describe('asHttpError', () => {
  it('keeps an error of the catalogue', () => {
    const error = new SiegelError('TENANT_UNKNOWN');
    expect(asHttpError(error)).toBe(error);
  });

  it.each([
    [new BadRequestException(), 'REQUEST_MALFORMED'],
    [new NotFoundException(), 'NOT_FOUND'],
    [new PayloadTooLargeException(), 'REQUEST_TOO_LARGE'],
    [Object.assign(new Error('x'), { statusCode: 415 }), 'CONTENT_TYPE_UNSUPPORTED'],
    [Object.assign(new Error('x'), { statusCode: 408 }), 'REQUEST_TIMEOUT'],
  ])('gives %s a code', (thrown, code) => {
    expect(asHttpError(thrown).code).toBe(code);
  });

  it.each([
    [new Error('a secret in a message')],
    ['text'],
    [undefined],
    [new ForbiddenException('x')],
    [{ statusCode: 'x' }],
  ])('shows nothing of %p', (thrown) => {
    const problem = problemOf(asHttpError(thrown), 'id');
    expect(problem).toEqual({
      type: 'urn:siegel:error:INTERNAL',
      title: ERROR_CATALOGUE.INTERNAL.title,
      status: 500,
      code: 'INTERNAL',
      remedy: ERROR_CATALOGUE.INTERNAL.remedy,
      retryable: false,
      requestId: 'id',
    });
  });
});
