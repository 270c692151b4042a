import type { QuoteClaims } from '#contracts';

/** TCB statuses that a relying party may take without a second look, as in our own tokens. */
const AFFIRMING: ReadonlySet<string> = new Set(['UpToDate', 'SWHardeningNeeded']);

/** Values of draft-ietf-rats-ar4si §2.3.1; a claim is the worse the farther from zero. */
const VALUE = {
  none: 0,
  /** Approved configuration; genuine, up-to-date hardware. */
  approved: 2,
  /** Only approved executables were loaded at boot: what a measurement says. */
  approvedBoot: 3,
  /** Unsafe configuration; hardware with known weaknesses. */
  warning: 32,
} as const;

export interface Appraisal {
  readonly status: 'affirming' | 'warning' | 'none';
  readonly vector: Readonly<Record<string, number>>;
}

/** What our manifest's decision means in the words of EAR. Without evidence (the simulation profile) nothing is claimed. */
export function appraisalOf(claims: QuoteClaims | undefined): Appraisal {
  const hardware = AFFIRMING.has(claims?.tcbStatus ?? '') ? VALUE.approved : VALUE.warning;
  const configuration = claims?.debug === true ? VALUE.warning : VALUE.approved;
  const worst = Math.max(hardware, configuration);
  return {
    status: claims === undefined ? 'none' : worst >= VALUE.warning ? 'warning' : 'affirming',
    vector: {
      'instance-identity': VALUE.none,
      configuration: claims ? configuration : VALUE.none,
      executables: claims ? VALUE.approvedBoot : VALUE.none,
      'file-system': VALUE.none,
      hardware: claims ? hardware : VALUE.none,
      'runtime-opaque': VALUE.none,
      'storage-opaque': VALUE.none,
      'sourced-data': VALUE.none,
    },
  };
}
