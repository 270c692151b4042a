import type { ActiveManifest } from '../manifests/active-manifest.js';

/** An object that a manifest in force grants. */
export interface WatchedObject {
  readonly key: string;
  readonly vault: string;
  readonly objectName: string;
  readonly objectType: 'secret' | 'cert';
  /** Pinned version; without it the latest. */
  readonly objectVersion?: string;
  /** Tenants whose manifests grant it. */
  readonly tenants: readonly string[];
}

interface GrantedObject {
  readonly vault: string;
  readonly objectName: string;
  readonly objectType: string;
  readonly objectVersion?: string;
}

const typeOf = (objectType: string): 'secret' | 'cert' => (objectType === 'cert' ? 'cert' : 'secret');

/** Identity of a granted object; vaults compare names without regard to case. */
export const objectKey = ({ vault, objectName, objectType, objectVersion }: GrantedObject): string =>
  `${vault}/${objectName.toLowerCase()}/${typeOf(objectType)}/${objectVersion ?? ''}`;

/** All objects that the manifests in force grant, each once. */
export function watchedObjects(
  manifests: Iterable<readonly [tenant: string, manifest: ActiveManifest]>,
): Map<string, WatchedObject> {
  const found = new Map<string, WatchedObject>();
  for (const [tenant, { compiled }] of manifests) {
    for (const { grants } of compiled.workloads.values()) {
      for (const grant of grants.secrets) {
        const key = objectKey(grant);
        const known = found.get(key);
        if (known?.tenants.includes(tenant)) continue;
        const { vault, objectName, objectVersion } = grant;
        found.set(key, {
          key,
          vault,
          objectName,
          objectType: typeOf(grant.objectType),
          ...(objectVersion === undefined ? {} : { objectVersion }),
          tenants: [...(known?.tenants ?? []), tenant],
        });
      }
    }
  }
  return found;
}
