import { readTaggedEvidence } from '../dice/dice-dialect.js';
import type { RaTlsDialect } from '../dialect.js';
import { DICE } from '../dice/dice-dialect.js';
import { EvidenceError } from '../evidence-error.js';

/** 1.2.840.113741.1.13.1. PCK certificates use the same identifier for something else. */
const OID = '2a864886f84d010d01';

/**
 * Intel's SGX SDK (tee_get_certificate_with_evidence): DICE evidence and the same quote once more in an extension of its own.
 * The latter alone cannot be judged, because its report data is the hash of claims that only the former carries.
 */
export const INTEL_SDK: RaTlsDialect = {
  name: 'intel-sdk',
  version: 3,
  sha1: false,
  present: ({ extensions }) => extensions.has(OID),
  read: (certificate) => {
    if (!DICE.present(certificate)) {
      throw new EvidenceError('EVIDENCE_UNSUPPORTED', 'a quote of the SGX SDK without its claims');
    }
    const evidence = readTaggedEvidence(certificate);
    if (certificate.extensions.get(OID)?.equals(evidence.quote) !== true)
      throw new EvidenceError('EVIDENCE_CONTRADICTORY');
    return evidence;
  },
};
