import { importReleasePolicy, parseReleasePolicy } from '#policy';
import { unwrapPolicy } from '../../policy/wrapped-policy.js';
import { type Importer, malformed, textOf } from './importer.js';

/** A release policy of Azure Key Vault, or a key with one. */
export const AKV_POLICY: Importer = {
  what: 'release policy of Azure Key Vault (JSON), or a key with one',
  maxBytes: 1024 * 1024,
  read: (file) => {
    const parsed = parseReleasePolicy(unwrapPolicy(textOf(file)));
    if (!parsed.ok) {
      const [problem] = parsed.problems;
      throw malformed(
        `line ${problem?.line ?? 1}: ${problem?.message ?? 'no release policy'} ("siegel policy lint" shows all)`,
      );
    }
    const { manifest, report } = importReleasePolicy(parsed.policy, 'imported');
    const [workload, ...further] = Object.values(manifest.workloads);
    return { workload, further, report };
  },
};
