import { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest, SecretWorks } from '../interface.js';
import type { DeploymentOptions } from '../state/deployments-file.js';

/** Which words stand before upstream's reason: at the first manifest and at updates they differ. */
export const INTAKE_WORDS = {
  first: { syntax: 'unmarshaling manifest', check: 'checking manifest' },
  update: { syntax: 'unmarshaling update manifest', check: 'invalid manifest' },
} as const;
type Occasion = keyof typeof INTAKE_WORDS;

/** Reads a manifest that somebody uploads. @throws CoordinatorError MANIFEST_INVALID */
export function readUpload(raw: Buffer, occasion: Occasion): marblerun.ReadManifest {
  try {
    return marblerun.readManifest(raw);
  } catch (error) {
    if (!(error instanceof marblerun.ManifestSyntaxError)) throw error;
    throw new CoordinatorError('MANIFEST_INVALID', `${INTAKE_WORDS[occasion].syntax}: ${error.message}`);
  }
}

/** Whether a whole manifest could be in force: consistent, its templates sound, and in a strict deployment free of what has no effect. @throws CoordinatorError MANIFEST_INVALID */
export function requireSound(
  { manifest, unknown }: marblerun.ReadManifest,
  occasion: Occasion,
  { manifestChecks, vaults }: Pick<DeploymentOptions, 'manifestChecks' | 'vaults'>,
  works: SecretWorks,
): Manifest {
  const { check } = INTAKE_WORDS[occasion];
  const first = marblerun.checkManifest(manifest)[0]?.message;
  if (first !== undefined) throw new CoordinatorError('MANIFEST_INVALID', `${check}: ${first}`);
  for (const [name, { source }] of manifest.secrets)
    if (source && !vaults.includes(source.vault))
      throw new CoordinatorError(
        'MANIFEST_INVALID',
        `${check}: secret ${name}: the vault ${JSON.stringify(source.vault)} is not open to this deployment`,
      );
  if (manifestChecks === 'strict') {
    for (const fault of marblerun.strictFaults(manifest, unknown))
      throw new CoordinatorError('MANIFEST_INVALID', `${check}: ${fault}`);
  }
  works.dryRun(manifest);
  return manifest;
}
