import type { CollateralBundle } from '#dcap';
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { CliError } from '../failure/cli-error.js';

/** Writes in one step, so that who looks at the folder never sees half a bundle. @throws CliError OUTPUT_UNWRITABLE */
export async function writeBundle(path: string, bundle: CollateralBundle): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.new`;
  try {
    await writeFile(temporary, bundleText(bundle), { mode: 0o644, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const { code, message } = error as NodeJS.ErrnoException;
    throw CliError.of('OUTPUT_UNWRITABLE', `"${path}" cannot be written (${code ?? message}).`, {
      cause: error,
    });
  }
}

export const bundleText = (bundle: CollateralBundle): string => `${JSON.stringify(bundle, null, 2)}\n`;
