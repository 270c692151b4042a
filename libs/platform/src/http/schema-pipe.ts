import { SiegelError, type ErrorCode } from '#contracts';
import { StandardSchemaValidationPipe } from '@nestjs/common';

const MAX_ISSUES = 10;

/** Validates what a parameter decorator names as its `schema`; the answer lists paths and expectations, never the values sent. */
export const schemaPipe = (code: ErrorCode = 'REQUEST_MALFORMED'): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) =>
      new SiegelError(code, {
        detail: issues
          .slice(0, MAX_ISSUES)
          .map(({ path, message }) => {
            const where = (path ?? [])
              .map((part) => String(typeof part === 'object' ? part.key : part))
              .join('.');
            return where === '' ? message : `${where}: ${message}`;
          })
          .join('; ')
          .slice(0, 1_000),
      }),
  });
