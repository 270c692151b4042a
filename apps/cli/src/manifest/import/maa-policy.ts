import { importMaaPolicy, MAX_MAA_POLICY_CHARACTERS, MaaPolicyError, parseMaaPolicy } from '#policy';
import { type Importer, malformed, textOf } from './importer.js';

/** A policy of Microsoft Azure Attestation. */
export const MAA_POLICY: Importer = {
  what: 'policy of Microsoft Azure Attestation (text)',
  maxBytes: MAX_MAA_POLICY_CHARACTERS,
  read: (file) => {
    const text = textOf(file);
    try {
      const { manifest, report } = importMaaPolicy(parseMaaPolicy(text), 'imported');
      const [workload, ...further] = Object.values(manifest.workloads);
      return { workload, further, report };
    } catch (error) {
      if (!(error instanceof MaaPolicyError)) throw error;
      throw malformed(`line ${error.line}, column ${error.column}: ${error.message}`);
    }
  },
};
