import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { checkoutFolder } from '../checkout.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';

const httpUrl = z.url({ protocol: /^https?$/ }).max(2_048);

/**
 * `<state>/siegel.json`: where a deployment is and which credentials its operator has. Written by `siegel up`; paths
 * are relative to the file. Members that this version does not know are left alone.
 */
export const DeploymentFile = z.object({
  siegel: z.literal(1),
  release: z.object({ url: httpUrl, caFile: z.string().optional() }).optional(),
  verifier: z
    .object({
      url: httpUrl,
      /** Folder of its collateral bundles, and the simulated root that it pins: where it runs on this machine. */
      bundleDir: z.string().optional(),
      simulatedRootFile: z.string().optional(),
    })
    .optional(),
  audit: z.object({ url: httpUrl, tokenFile: z.string().optional() }).optional(),
  witness: z.object({ url: httpUrl, key: z.string().max(2_048) }).optional(),
  adminTokenFile: z.string().optional(),
  nats: z.object({ url: z.string(), caFile: z.string().optional() }).optional(),
  tenant: z.string().optional(),
  vault: z.string().optional(),
});
export type DeploymentFile = z.infer<typeof DeploymentFile>;

export interface FoundDeployment {
  /** Absolute path of siegel.json. */
  readonly path: string;
  readonly folder: string;
  readonly content: DeploymentFile;
}

/** The state folder: `--state`, else SIEGEL_STATE, else `.siegel` of the checkout. */
export function stateFolder(option: string | undefined, terminal: Terminal): string {
  const named = option ?? (terminal.env['SIEGEL_STATE'] || undefined);
  return named === undefined ? join(checkoutFolder(), '.siegel') : resolve(terminal.cwd, named);
}

/**
 * Reads siegel.json of the state folder; undefined if there is none and the folder was not named by anyone.
 * @throws CliError STATE_NOT_FOUND, STATE_INVALID
 */
export async function findDeployment(
  option: string | undefined,
  terminal: Terminal,
): Promise<FoundDeployment | undefined> {
  const path = join(stateFolder(option, terminal), 'siegel.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw CliError.of('STATE_INVALID', `"${path}" cannot be read (${code}).`, { cause: error });
    }
    if (option === undefined && !terminal.env['SIEGEL_STATE']) return undefined;
    throw CliError.of('STATE_NOT_FOUND', `There is no deployment in "${dirname(path)}".`, { cause: error });
  }
  return { path, folder: dirname(path), content: parseDeployment(text, path) };
}

function parseDeployment(text: string, path: string): DeploymentFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw CliError.of('STATE_INVALID', `"${path}" is not JSON.`, { cause: error });
  }
  const result = DeploymentFile.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') || 'the whole file';
  throw CliError.of('STATE_INVALID', `"${path}": ${where}: ${issue?.message ?? 'invalid'}.`);
}
