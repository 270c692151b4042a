import { secretAlias } from '../manifest/secret-alias.js';
import { quoted } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { error, section } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/** Lints the resources of Trustee's KBS protocol: each path once, each for exactly one secret, and evidence that can reach them. */
export function lintTrustee(view: WorkloadView, report: Report): void {
  const { name, workload } = view;
  const { trustee, secrets = [] } = workload;
  if (!trustee) return;
  const base = ['workloads', name, 'trustee'];
  const aliases = secrets.map(secretAlias);
  const seen = new Set<string>();
  for (const [index, { path, secret }] of trustee.resources.entries()) {
    const at = [...base, 'resources', index];
    if (seen.has(path)) {
      const message = `${quoted(path)} stands here twice; one path is one resource`;
      report(error('RESOURCE_PATH_REPEATED', [...at, 'path'], message));
    }
    seen.add(path);
    const count = aliases.filter((alias) => alias === secret).length;
    if (count === 1) continue;
    const message =
      count === 0
        ? `there is no secret with the alias ${quoted(secret)}; known: ${aliases.join(', ') || 'none'}`
        : `${quoted(secret)} is the alias of several secrets`;
    report(
      error('RESOURCE_SECRET_UNKNOWN', [...at, 'secret'], message, {
        suggestion: count === 0 ? didYouMean(secret, aliases) : undefined,
      }),
    );
  }
  const binding = section(view, 'binding')?.value.convention;
  if (binding !== undefined && ![binding].flat().includes('trustee-runtime-data')) {
    const message =
      'the binding of this workload has no "trustee-runtime-data", so that no Trustee client can reach it';
    report(error('RESOURCE_BINDING_UNFIT', base, message, { at: 'key' }));
  }
}
