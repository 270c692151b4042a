import { recogniseTrusteePolicy, type TrusteePolicyMeaning } from '#policy';
import { z } from 'zod';
import { KbsError } from '../protocol/kbs-error.js';

const Upload = z.object({ policy: z.string().max(512 * 1024) });

const MEANINGS: Readonly<Record<TrusteePolicyMeaning, string>> = {
  'allow-all': 'allow_all gives every resource to everybody, which no manifest can say',
  'deny-all': 'deny_all is what a manifest without workloads says; set one',
  'not-sample': 'the default policy gives every resource to every genuine enclave, which no manifest can say',
  affirming: 'what the affirming policy demands, every workload of a manifest demands anyway',
};

/**
 * The answer to a policy that is uploaded: decisions are made by the manifest, so that none is taken, and none is taken for what it is not.
 * A stock policy is told what it is here.
 */
export function policyRefused(body: Buffer): KbsError {
  const meaning = recogniseTrusteePolicy(textOf(body));
  const what = meaning === undefined ? 'Rego is not evaluated here' : MEANINGS[meaning];
  return new KbsError(
    400,
    'ParsePolicyError',
    `${what}. Resources are granted by the manifest ("siegel manifest import trustee-policy" translates stock policies).`,
  );
}

export function referenceValueRefused(): KbsError {
  return new KbsError(
    400,
    'ParsePolicyError',
    'there are no reference values here: a workload of the manifest names its measurements in "identity"',
  );
}

function textOf(body: Buffer): string {
  try {
    const { policy } = Upload.parse(JSON.parse(body.toString('utf8')));
    return Buffer.from(policy, 'base64url').toString('utf8');
  } catch {
    return '';
  }
}
