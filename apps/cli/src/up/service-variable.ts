import { InvalidArgumentError } from 'commander';

const VARIABLE = /^((?:SIEGEL|AZURE)_[A-Z0-9_]+)=([\s\S]*)$/;

/** One `--env NAME=VALUE` more: a variable of the services, after what `up` sets itself. */
export function serviceVariable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = VARIABLE.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('write SIEGEL_NAME=VALUE or AZURE_NAME=VALUE.');
  return { ...before, [name]: value };
}
