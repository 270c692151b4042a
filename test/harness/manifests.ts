import { measured } from './enclaves.js';
import { VAULT } from './siegel.js';

/** Members of a workload besides its identity, as they stand in a manifest. */
export type WorkloadMembers = Record<string, unknown>;

/** A manifest of workloads that are recognised by the measurement of their own name. JSON is YAML. */
export function manifestOf(workloads: Record<string, WorkloadMembers>): string {
  const entries = Object.entries(workloads).map(([name, members]) => [
    name,
    { identity: { mrenclave: [measured(name)] }, ...members },
  ]);
  return JSON.stringify({ siegel: 'v1', workloads: Object.fromEntries(entries) }, null, 2);
}

export const envSecret = (objectName: string, objectAlias: string) => ({
  vault: VAULT,
  objectName,
  objectType: 'secret',
  objectAlias,
  as: 'env',
});
export const fileSecret = (objectName: string, path: string) => ({
  vault: VAULT,
  objectName,
  objectType: 'secret',
  as: 'file',
  path,
  mode: '0400',
});
export const certificateFor = (name: string) => ({ dns: [`${name}.test.svc`], ttl: '24h' });
