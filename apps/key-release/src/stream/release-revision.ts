import type { Grants } from '#policy';
import { hash } from 'node:crypto';
import { objectKey } from '../rotation/watched-objects.js';

/**
 * What a release consists of, as a short name: grants of the manifest and versions of the vault's objects, no values. The same on every
 * replica and after a restart, so that a stream can be resumed anywhere.
 */
export function releaseRevision(workload: string, grants: Grants, versions: readonly string[]): string {
  const { secrets, certificate, argv, env } = grants;
  const content = JSON.stringify([workload, secrets, certificate ?? null, argv ?? null, env, versions]);
  return hash('sha256', content, 'base64url').slice(0, 22);
}

/** Versions of granted objects by their key, as {@link ObjectWatch} names them. */
export function versionsByObject(grants: Grants, versions: readonly string[]): Map<string, string> {
  return new Map(grants.secrets.map((grant, at) => [objectKey(grant), versions[at] ?? '']));
}
