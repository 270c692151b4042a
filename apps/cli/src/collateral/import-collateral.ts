import { trustAnchorFromPem, type TrustAnchor } from '#dcap';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { named } from '../input/bounded-input.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import {
  anchorsOf,
  factsOf,
  factsText,
  openBundle,
  readBundle,
  type BundleFacts,
} from './bundle-verification.js';
import type { ImportOptions } from './command.js';
import { heldCollateral } from './show-collateral.js';
import { writeBundle } from './write-bundle.js';

const PATIENCE_MS = 5_000;
const POLL_MS = 100;

/** `unknown`: the verifier cannot be asked. `unused`: no evidence of such a platform has come yet. */
type Effect = 'in-force' | 'unused' | 'not-in-force' | 'unknown';

const EFFECTS: Readonly<Record<Effect, string>> = {
  'in-force': 'the verifier judges by it',
  unused: 'the verifier takes it when the first quote of such a platform comes',
  'not-in-force':
    'the verifier prefers what it holds: that is newer, or of a source before its folder of bundles, or it does not read this folder',
  unknown: 'the verifier could not be asked whether it judges by it',
};

/** `siegel collateral import`: into the verifier's folder, if it verifies by the roots that the deployment pins. */
export async function importCollateral(
  file: string,
  options: ImportOptions,
  terminal: Terminal,
): Promise<number> {
  const deployment = await Deployment.open(options, terminal);
  const folder = folderOf(options, deployment, terminal);
  const anchors = await anchorsOf(options, terminal, await pinnedRoots(deployment));
  const bundle = await readBundle(file, terminal);
  const facts = factsOf(openBundle(bundle, named(file), anchors, options));
  const name = `${facts.tee}-${facts.fmspc}-${facts.ca}-${facts.tcbEvaluationDataNumber}-${facts.id.slice(0, 12)}.json`;
  const path = join(folder, name);
  await writeBundle(path, bundle);
  const effect = await effectOf(facts, deployment);
  if (options.json) {
    terminal.out(`${JSON.stringify({ file: path, effect, ...facts })}\n`);
    return 0;
  }
  const style = styleFor(terminal.colour);
  const mark = effect === 'not-in-force' || effect === 'unknown' ? style.warn('!') : style.good('✓');
  terminal.out(`${factsText(facts)}written to ${path}\n${mark} ${EFFECTS[effect]}\n`);
  return 0;
}

function folderOf({ bundleDir }: ImportOptions, { found }: Deployment, terminal: Terminal): string {
  if (bundleDir !== undefined) return resolve(terminal.cwd, bundleDir);
  const own = found?.content.verifier?.bundleDir;
  if (found === undefined || own === undefined) {
    throw CliError.of(
      'STATE_INVALID',
      'No deployment on this machine says where its verifier reads bundles.',
      { remedy: 'Name the folder (SIEGEL_COLLATERAL_BUNDLE_DIR of the verifier) with --bundle-dir.' },
    );
  }
  return resolve(found.folder, own);
}

/** The simulated root that the deployment pins, if it does. */
async function pinnedRoots({ found }: Deployment): Promise<TrustAnchor[]> {
  const file = found?.content.verifier?.simulatedRootFile;
  if (found === undefined || file === undefined) return [];
  const path = resolve(found.folder, file);
  try {
    return [trustAnchorFromPem(await readFile(path, 'utf8'), { id: 'simulated', simulated: true })];
  } catch (error) {
    throw CliError.of('STATE_INVALID', `The root "${path}" that siegel.json names cannot be read.`, {
      cause: error,
    });
  }
}

async function effectOf(facts: BundleFacts, deployment: Deployment): Promise<Effect> {
  try {
    const client = await deployment.client('verifier');
    try {
      for (const until = Date.now() + PATIENCE_MS; ;) {
        const held = (await heldCollateral(client)).collateral.filter(
          ({ tee, fmspc, ca }) => tee === facts.tee && fmspc === facts.fmspc && ca === facts.ca,
        );
        if (held.some(({ id }) => id === facts.id)) return 'in-force';
        if (held.length === 0) return 'unused';
        if (Date.now() > until) return 'not-in-force';
        await new Promise((wait) => setTimeout(wait, POLL_MS));
      }
    } finally {
      await client.close();
    }
  } catch (error) {
    if (error instanceof CliError) return 'unknown';
    throw error;
  }
}
