import type { Manifest } from '../manifest/schema.js';
import type { Finding } from '../problem.js';
import { lintDelivery } from './delivery-lint.js';
import { lintFortanix } from './fortanix-lint.js';
import { lintGramine } from './gramine-lint.js';
import { lintIdentity } from './identity-lint.js';
import { lintLifetimes, lintSession } from './lifetime-lint.js';
import { lintOcclum } from './occlum-lint.js';
import { lintOverlaps } from './overlap-lint.js';
import { duplicates, warning } from './rule.js';
import type { WorkloadView } from './rule.js';
import { lintDefaults, lintTrust } from './tcb-lint.js';
import { lintTrustee } from './trustee-lint.js';

/** Everything that a well-formed manifest can still get wrong. */
export function lintWorkloads(
  manifest: Manifest,
  options: { knownVaults?: readonly string[] | undefined },
): Finding[] {
  const findings: Finding[] = [];
  const report = (finding: Finding) => void findings.push(finding);
  const { knownVaults } = options;
  const views = Object.entries(manifest.workloads).map(([name, workload]): WorkloadView => ({
    name,
    workload,
    manifest,
    knownVaults,
  }));
  if (views.length === 0) {
    report(
      warning(
        'MANIFEST_GRANTS_NOTHING',
        ['workloads'],
        'there is no workload: every request will be denied',
        { at: 'key' },
      ),
    );
  }
  duplicates(manifest.vaults, ['vaults'], report);
  lintDefaults(manifest, report);
  if (manifest.defaults?.session) lintSession(manifest.defaults.session, ['defaults', 'session'], report);
  for (const view of views) {
    lintIdentity(view, report);
    lintTrust(view, report);
    lintDelivery(view, report);
    lintFortanix(view, report);
    lintGramine(view, report);
    lintOcclum(view, report);
    lintTrustee(view, report);
    lintLifetimes(view, report);
  }
  lintOverlaps(views, report);
  return findings;
}
