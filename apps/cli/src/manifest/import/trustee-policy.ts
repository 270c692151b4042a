import { recogniseTrusteePolicy, type TrusteePolicyMeaning } from '#policy';
import { type Importer, type ImportLine, textOf } from './importer.js';

const unnamed: ImportLine = {
  path: 'allow.measurement',
  result: 'unsupported',
  note: 'the policy names no measurement, and a manifest grants nothing without one: write a workload with "identity", and its paths in "trustee.resources"',
};

/** What the manifest makes of each; none of them can become a workload, since none says whose the resources are. */
const MEANINGS: Readonly<Record<TrusteePolicyMeaning, readonly ImportLine[]>> = {
  'deny-all': [
    { path: 'default allow = false', result: 'mapped', note: 'what a manifest does not grant is denied' },
  ],
  'allow-all': [
    {
      path: 'allow',
      result: 'unsupported',
      note: 'the policy gives every resource to everybody; no manifest can',
    },
    unnamed,
  ],
  'not-sample': [
    {
      path: 'allow',
      result: 'unsupported',
      note: 'the policy gives every resource to every genuine enclave, also in debug mode and on outdated platforms; no manifest can',
    },
    unnamed,
  ],
  affirming: [
    {
      path: 'allow.status',
      result: 'mapped',
      note: 'a workload without "tcb" and "debug" takes UpToDate and SWHardeningNeeded, and no debug enclave',
    },
    unnamed,
  ],
};

/** A resource policy of Trustee's KBS (Rego): those that come with it are known, of any other nothing is understood. */
export const TRUSTEE_POLICY: Importer = {
  what: 'resource policy of Trustee (Rego), of those that come with it',
  maxBytes: 256 * 1024,
  read: (file) => {
    const meaning = recogniseTrusteePolicy(textOf(file));
    if (meaning !== undefined) return { workload: undefined, report: MEANINGS[meaning] };
    const note =
      'no stock policy of Trustee; Rego is not evaluated here: state in a manifest what it demands';
    return { workload: undefined, report: [{ path: 'policy', result: 'unsupported', note }] };
  },
};
