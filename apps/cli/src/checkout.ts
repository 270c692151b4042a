import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout that this program is part of; the same from the sources and from dist/. */
export function checkoutFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('this program is not inside its checkout');
    folder = parent;
  }
}

export function version(): string {
  const { version } = JSON.parse(readFileSync(join(checkoutFolder(), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
