import { VaultsHealth, type VaultStatus } from '#contracts';
import type { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { Check, CheckResult } from './check.js';

/** One check for each vault that key-release has, as key-release reaches it; a single failed one where it does not say. */
export async function vaultChecks(deployment: Deployment): Promise<Check[]> {
  let health: VaultsHealth;
  try {
    health = await askForVaults(deployment);
  } catch (error) {
    return [{ name: 'vaults', run: () => Promise.reject(error as Error) }];
  }
  return health.vaults.map((status) => ({
    name: `vault ${status.name}`,
    run: () => Promise.resolve(outcomeOf(status)),
  }));
}

async function askForVaults(deployment: Deployment): Promise<VaultsHealth> {
  const client = await deployment.client('release');
  try {
    const { body } = await client.json('/v1/vaults/health');
    const health = VaultsHealth.safeParse(body);
    if (health.success) return health.data;
    throw CliError.of(
      'SERVICE_ANSWER_INVALID',
      'key-release answered with something else than the health of its vaults.',
    );
  } finally {
    await client.close();
  }
}

function outcomeOf(status: VaultStatus): Omit<CheckResult, 'name'> {
  const { kind, ok, code, message, remedy, latencyMs, requestId, throttled = 0, circuit } = status;
  if (!ok) {
    const named = requestId === undefined ? '' : ` [x-ms-request-id ${requestId}]`;
    return {
      ok,
      detail: `${(message ?? 'does not answer').replace(/\s+/g, ' ')}${named}`,
      code: code ?? 'VAULT_UNAVAILABLE',
      remedy: remedy ?? 'See the log of key-release.',
    };
  }
  const detail = `${kind}; answers to key-release${latencyMs === undefined ? '' : ` in ${latencyMs} ms`}`;
  if (circuit === 'open') {
    return {
      ok,
      detail: `${detail}, but its last reads failed and are held back`,
      remedy: 'Wait for the next probe; the log of key-release says why they failed.',
    };
  }
  if (throttled > 0) {
    return {
      ok,
      detail: `${detail}; refused ${throttled} reads as too many`,
      remedy: 'Lower readsPer10Seconds of its reader, or find who else uses this vault.',
    };
  }
  return { ok, detail };
}
