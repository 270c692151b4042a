import { columns, printable } from '../terminal/layout.js';
import type { Terminal } from '../terminal/terminal.js';
import type { VaultOptions } from './command.js';
import { VaultSecrets } from './vault-secrets.js';

/** `siegel secret list`. */
export async function listSecrets(options: VaultOptions, terminal: Terminal): Promise<number> {
  const { vault, list } = await VaultSecrets.use(options, terminal, async (secrets) => ({
    vault: secrets.vault,
    list: await secrets.list(),
  }));
  if (options.json) {
    terminal.out(`${JSON.stringify({ vault, ...list })}\n`);
    return 0;
  }
  const rows = list.secrets.map(({ name, version, enabled, contentType, expiresOn, updatedOn }) =>
    [
      name,
      version ?? '',
      enabled === false ? 'disabled' : 'enabled',
      contentType ?? '',
      expiresOn ?? '',
      updatedOn ?? '',
    ].map(printable),
  );
  const head = ['name', 'version', 'state', 'content type', 'expires', 'updated'];
  terminal.out(rows.length === 0 ? `Vault ${vault} holds no secret.\n` : `${columns([head, ...rows])}\n`);
  return 0;
}
