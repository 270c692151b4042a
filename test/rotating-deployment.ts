import type { SimulatedEnclave } from '../apps/cli/src/demo/simulated-enclave.js';
import type { AzureWorld } from './azure-deployment.js';
import { type RunningSiegel, SessionStream } from './harness/index.js';

/** A grant of a secret of the vault "prod" as the variable VALUE. */
export const granted = (objectName: string, more: object = {}) => ({
  vault: 'prod',
  objectName,
  objectType: 'secret',
  as: 'env',
  objectAlias: 'VALUE',
  ...more,
});

/** A deployment with the vault "prod", which looks for changes by itself once in so many seconds. */
export function deployRotating(
  azure: AzureWorld,
  pollSeconds: number,
  variables: Readonly<Record<string, string>> = {},
): Promise<RunningSiegel> {
  const all = {
    SIEGEL_ROTATION_POLL_SECONDS: String(pollSeconds),
    SIEGEL_STREAM_HEARTBEAT_MS: '300',
    ...variables,
  };
  const args = Object.entries(all).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return azure.deploy({ prod: azure.files.vaultSettings('prod') }, args);
}

export async function boot(
  siegel: RunningSiegel,
  workload: string,
): Promise<{ enclave: SimulatedEnclave; token: string }> {
  const enclave = siegel.machines.enclave(workload);
  const { response } = await enclave.attest(siegel.service);
  return { enclave, token: response.token };
}

/** The live channel of a new enclave. */
export async function streamOf(siegel: RunningSiegel, workload: string): Promise<SessionStream> {
  const { enclave, token } = await boot(siegel, workload);
  return SessionStream.open(siegel, enclave, token);
}
