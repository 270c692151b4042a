import { z } from 'zod';

/** Configuration is wrong: the message names the variable, what it holds and what it should hold. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  constructor(readonly problems: readonly { variable: string; message: string }[]) {
    super(problems.map(({ variable, message }) => `${variable}: ${message}`).join('; '));
  }
}

/**
 * Reads and validates a service's configuration from environment variables, once, at start. Empty variables count as absent.
 * Secrets never stand in the environment: variables name files.
 */
export function readEnvironment<T extends z.ZodType>(
  schema: T,
  env: NodeJS.ProcessEnv = process.env,
): z.output<T> {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(present);
  if (result.success) return result.data;
  throw new ConfigurationError(
    result.error.issues.map((issue) => ({
      variable: issue.path.map(String).join('.') || '(environment)',
      message:
        issue.code === 'invalid_type' && !(String(issue.path[0]) in present)
          ? 'is required but not set'
          : issue.message,
    })),
  );
}

export const port = z.coerce.number().int().min(0).max(65_535);
export const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
export const milliseconds = z.coerce
  .number()
  .int()
  .min(1)
  .max(24 * 3_600_000);
