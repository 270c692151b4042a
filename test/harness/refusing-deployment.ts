import { certificateFor, envSecret, manifestOf, type WorkloadMembers } from './manifests.js';
import { Refusals } from './refusals.js';
import { type RunningSiegel, startSiegel } from './siegel.js';

/**
 * A deployment whose workload `app` gets a certificate and the secret as PASSWORD, and the observer of what it refuses. No answer and
 * no event may contain the secret.
 */
export async function refusingDeployment(
  secret: string,
  workloads: Readonly<Record<string, WorkloadMembers>> = {},
): Promise<{ siegel: RunningSiegel; refusals: Refusals }> {
  const siegel = await startSiegel({
    secrets: { password: secret },
    manifest: manifestOf({
      app: { certificate: certificateFor('app'), secrets: [envSecret('password', 'PASSWORD')] },
      ...workloads,
    }),
  });
  return { siegel, refusals: await Refusals.of(siegel, secret) };
}
