import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { ConfigurationError } from './environment.js';

/** Of one file that an operator writes. */
export const MAX_CONFIGURATION_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Of a message about a file: what a schema says can be as long as the file. */
const MAX_MESSAGE = 500;

/** A file that cannot be used: one sentence for the operator, which begins with the file and names the member. */
export class ConfigurationFileError extends Error {
  override readonly name = 'ConfigurationFileError';
}

/** A text file of at most {@link MAX_CONFIGURATION_BYTES}; no more is read, whatever the path leads to. @throws ConfigurationFileError */
export function readConfigurationText(file: string): string {
  try {
    return readAtMost(file, MAX_CONFIGURATION_BYTES).toString('utf8');
  } catch (cause) {
    throw new ConfigurationFileError(`${file}: ${(cause as Error).message}`, { cause });
  }
}

/** JSON that fits the schema. @param file for messages @throws ConfigurationFileError */
export function parseConfiguration<T extends z.ZodType>(schema: T, text: string, file: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // Not JSON.parse's own words: they quote the text, which may hold a secret.
    throw new ConfigurationFileError(`${file} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const member = issue?.path.map(String).join('.') || 'the whole file';
  throw new ConfigurationFileError(`${file}: ${member}: ${issue?.message ?? 'invalid'}`);
}

/** @throws ConfigurationFileError */
export function readConfigurationFile<T extends z.ZodType>(schema: T, file: string): z.output<T> {
  return parseConfiguration(schema, readConfigurationText(file), file);
}

/** Says which variable names what could not be read. @throws ConfigurationError */
export function configuredBy<T>(variable: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError([{ variable, message: (error as Error).message.slice(0, MAX_MESSAGE) }]);
  }
}

function readAtMost(file: string, most: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let length = 0; ;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, most + 1 - length));
      const read = readSync(descriptor, chunk);
      if (read === 0) return Buffer.concat(chunks);
      length += read;
      if (length > most) throw new Error(`larger than ${most} bytes`);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(descriptor);
  }
}
