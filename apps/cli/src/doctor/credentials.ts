import { ManifestView } from '#contracts';
import type { Deployment } from '../deployment/deployment.js';
import type { ApiAnswer } from '../http/api-client.js';
import { answerOf } from '../http/answers.js';
import { isNoManifest, noManifest } from '../manifest/tenant-manifest.js';
import type { Check, CheckResult } from './check.js';

type Outcome = Omit<CheckResult, 'name'>;

/** The administrator's token and the manifest in force: one request answers both. */
export function manifestCheck(deployment: Deployment, tenant: string): Check {
  return {
    name: 'administrator token and manifest',
    run: async () => {
      const answer = await ask(deployment, 'release', `/v1/tenants/${tenant}/manifest`);
      const view = ManifestView.safeParse(answer.body);
      if (answer.status === 200 && view.success) {
        return { ok: true, detail: `accepted; version ${view.data.version} of tenant ${tenant} is in force` };
      }
      const refused = answerOf('key-release', answer);
      // The token is good if the answer is about the manifest.
      if (isNoManifest(refused)) {
        return {
          ok: true,
          detail: `accepted; tenant ${tenant} has no manifest: every release is denied`,
          remedy: noManifest().remedy,
        };
      }
      throw refused;
    },
  };
}

/** The secrets of one vault, as the administrator's API lists them; whether the vault answers at all is another check. */
export function vaultCheck(deployment: Deployment, tenant: string, vault: string): Check {
  return {
    name: `secrets of ${vault}`,
    run: async (): Promise<Outcome> => {
      const answer = await ask(deployment, 'release', `/v1/tenants/${tenant}/vaults/${vault}/secrets`);
      if (answer.status === 200) {
        const { secrets } = answer.body as { secrets?: unknown };
        return {
          ok: true,
          detail: `answers; ${Array.isArray(secrets) ? secrets.length : 'unknown'} secrets`,
        };
      }
      const refused = answerOf('key-release', answer);
      // With the least of roles key-release reads and cannot list; whether it can read, the check of the vault says.
      if (refused.code === 'VAULT_DENIED')
        return { ok: true, detail: 'key-release may not list them: they are managed in the vault itself' };
      throw refused;
    },
  };
}

export function auditTokenCheck(deployment: Deployment): Check {
  return {
    name: 'auditor token',
    run: async () => {
      const answer = await ask(deployment, 'audit', '/v1/events?limit=1');
      if (answer.status === 200) return { ok: true, detail: 'accepted' };
      throw answerOf('audit', answer);
    },
  };
}

async function ask(deployment: Deployment, service: 'release' | 'audit', path: string): Promise<ApiAnswer> {
  const client = await deployment.client(service);
  try {
    return await client.exchange(path);
  } finally {
    await client.close();
  }
}
