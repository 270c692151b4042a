import type { PathStep } from '../../problem.js';
import type { SconeSecret, SconeSession } from '../model.js';
import { parseTemplate, PlaceholderError } from '../text/placeholder.js';
import { vaultName } from './import-service.js';
import type { ImportReport } from './report.js';

/**
 * A manifest has no tokens, but each of its vaults is read by an identity that the deployment states: where a session has a token for vaults
 * alone, that says the same. Its secret or key is then of no use any more.
 */
export function reportToken(
  { name, exports, aadToken }: SconeSecret,
  at: readonly PathStep[],
  session: SconeSession,
  report: ImportReport,
): void {
  const tokens = session.secrets.filter(({ kind }) => kind === 'aad-token');
  const reads = session.secrets.flatMap(({ importAkv }) =>
    importAkv && (importAkv.token ?? (tokens.length === 1 ? name : undefined)) === name
      ? [vaultName(importAkv.vault)]
      : [],
  );
  const vaults = [...new Set(reads.flatMap((vault) => vault ?? []))];
  if (exports.length > 0 || isRendered(name, session) || vaults.length === 0 || reads.includes(undefined))
    report.unsupported(
      at,
      'a manifest gives no tokens of Entra to a workload; keep it with the CAS façade, which does',
    );
  else
    report.mapped(
      at,
      `the identity of vault ${vaults.map((vault) => `"${vault}"`).join(', ')}: give it tenantId and clientId` +
        ` ${(aadToken?.clientId ?? '').slice(0, 64)} there, federated instead of with a secret; see docs/azure.md`,
    );
}

/** Whether a service is given it. */
function isRendered(name: string, { services, images, secrets }: SconeSession): boolean {
  const templates = [
    ...services.flatMap(({ command = [], environment }) => [...command, ...environment.values()]),
    ...images.flatMap(({ files }) => files.map(({ content }) => content)),
    ...secrets.flatMap(({ payload }) => [...(payload?.values() ?? [])]),
  ];
  return (
    images.some(({ provideSecrets }) => provideSecrets?.includes(name)) ||
    templates.some((template) => template !== undefined && namesOf(template).includes(name))
  );
}

function namesOf(template: string): string[] {
  try {
    return parseTemplate(template).flatMap((part) => (part.kind === 'secret' ? [part.name] : []));
  } catch (error) {
    if (error instanceof PlaceholderError) return [];
    throw error;
  }
}
