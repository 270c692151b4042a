import { RevocationView } from '#contracts';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { RevokeOptions } from './command.js';

const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `siegel session revoke`. */
export async function revokeSession(id: string, options: RevokeOptions, terminal: Terminal): Promise<number> {
  if (!SESSION_ID.test(id))
    throw CliError.of('USAGE', `"${id}" is not a session: sessions are named by UUIDs.`);
  const deployment = await Deployment.open(options, terminal);
  const tenant = deployment.tenant(options.tenant);
  const client = await deployment.client('release');
  try {
    const { body } = await client.json(`/v1/tenants/${tenant}/sessions/${id.toLowerCase()}/revoke`, {
      method: 'POST',
    });
    const view = RevocationView.safeParse(body);
    if (!view.success)
      throw CliError.of(
        'SERVICE_ANSWER_INVALID',
        `${client.service} answered with something else than a revocation.`,
      );
    terminal.out(
      options.json
        ? `${JSON.stringify(view.data)}\n`
        : `${styleFor(terminal.colour).good('✓')} session ${view.data.session} of tenant ${tenant} is revoked since ${view.data.revokedAt}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
}
