import { SiegelError, type ErrorCode } from '#contracts';
import { StandardSchemaValidationPipe } from '@nestjs/common';

const MAX_ISSUES = 10;

/**
 * Validates what a parameter decorator names as its `schema`; the answer lists paths and expectations, never the values sent.
 * @param tooLarge members whose excessive length has a code of its own
 */
export const schemaPipe = (
  code: ErrorCode = 'REQUEST_MALFORMED',
  tooLarge: Readonly<Record<string, ErrorCode>> = {},
): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) => {
      const own = issues.map((issue) => oversize(issue, tooLarge)).find((found) => found !== undefined);
      if (own !== undefined) return new SiegelError(own);
      return new SiegelError(code, {
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
      });
    },
  });

type Issue = Parameters<
  NonNullable<NonNullable<ConstructorParameters<typeof StandardSchemaValidationPipe>[0]>['exceptionFactory']>
>[0][number];

/** Zod's issues say what is wrong by a code, beside what the standard interface has. */
function oversize(issue: Issue, tooLarge: Readonly<Record<string, ErrorCode>>): ErrorCode | undefined {
  if ((issue as { code?: unknown }).code !== 'too_big' || issue.path?.length !== 1) return undefined;
  const [part] = issue.path;
  const member = String(typeof part === 'object' ? part.key : part);
  return Object.hasOwn(tooLarge, member) ? tooLarge[member] : undefined;
}
