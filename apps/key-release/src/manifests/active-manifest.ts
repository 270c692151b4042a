import type { ManifestRecord } from '#contracts';
import { compileManifest, parseManifest, type CompiledManifest } from '#policy';

/** A manifest in force, compiled once. */
export interface ActiveManifest {
  readonly record: ManifestRecord;
  readonly revision: number;
  readonly compiled: CompiledManifest;
}

/** What of the deployment, not of the manifest, decides. */
export interface Deployment {
  readonly trustDomain: string;
  /** Whether the configuration pins a simulated root; no manifest can say so. */
  readonly acceptSimulated: boolean;
}

/** @throws Error when the stored text is not a valid manifest (another version of this program wrote it) */
export function activate(record: ManifestRecord, revision: number, deployment: Deployment): ActiveManifest {
  const parsed = parseManifest(record.text);
  if (!parsed.ok)
    throw new Error(`the stored manifest is not valid: ${parsed.problems[0]?.message ?? 'unknown'}`);
  if (parsed.digest !== record.digest)
    throw new Error('the stored manifest is not the one that its record names');
  return {
    record,
    revision,
    compiled: compileManifest(parsed.manifest, { ...deployment, tenant: record.tenant }),
  };
}
