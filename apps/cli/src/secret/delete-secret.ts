import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { VaultOptions } from './command.js';
import { checkSecretName, VaultSecrets } from './vault-secrets.js';

/** `siegel secret delete`. */
export async function deleteSecret(name: string, options: VaultOptions, terminal: Terminal): Promise<number> {
  checkSecretName(name);
  const vault = await VaultSecrets.use(options, terminal, async (secrets) => {
    await secrets.delete(name);
    return secrets.vault;
  });
  terminal.out(
    options.json
      ? `${JSON.stringify({ ok: true, vault, name })}\n`
      : `${styleFor(terminal.colour).good('✓')} ${name} was deleted from vault ${vault}\n`,
  );
  return 0;
}
