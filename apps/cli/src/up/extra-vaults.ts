import { VaultsConfig } from '#vault';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { StartFailure } from './failure.js';

/**
 * Vaults of a file like `SIEGEL_VAULTS_FILE`, whose relative paths become absolute: the service reads them from another folder.
 * @param reserved names that the deployment uses itself
 * @throws StartFailure VAULTS_INVALID
 */
export function readExtraVaults(file: string, reserved: readonly string[]): Record<string, unknown> {
  const fail = (message: string): StartFailure =>
    new StartFailure('VAULTS_INVALID', `the vaults file ${file} cannot be used: ${message}`);
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw fail((error as Error).message);
  }
  const parsed = VaultsConfig.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fail(`${issue?.path.map(String).join('.') || 'the whole file'}: ${issue?.message ?? 'invalid'}`);
  }
  const taken = Object.keys(parsed.data).find((name) => reserved.includes(name));
  if (taken !== undefined)
    throw fail(`the name "${taken}" belongs to the embedded vault of every such deployment`);
  const absolute = (path: string): string => resolve(dirname(resolve(file)), path);
  return Object.fromEntries(
    Object.entries(parsed.data).map(([name, vault]) => {
      if (vault.kind === 'embedded') {
        const keyFile = vault.keyFile === undefined ? {} : { keyFile: absolute(vault.keyFile) };
        return [name, { ...vault, dir: absolute(vault.dir), ...keyFile }];
      }
      const { tokenFile } = vault.identity;
      return [
        name,
        {
          ...vault,
          ...(vault.caFile === undefined ? {} : { caFile: absolute(vault.caFile) }),
          identity: {
            ...vault.identity,
            ...(tokenFile === undefined ? {} : { tokenFile: absolute(tokenFile) }),
          },
        },
      ];
    }),
  );
}
