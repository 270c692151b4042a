import { Deployment } from '../deployment/deployment.js';
import { columns, printable } from '../terminal/layout.js';
import type { Terminal } from '../terminal/terminal.js';
import type { TenantOptions } from './command.js';
import { TenantManifest } from './tenant-manifest.js';

/** `siegel manifest get`. */
export function getManifest(options: TenantOptions, terminal: Terminal): Promise<number> {
  return withManifest(options, terminal, async (manifest) => {
    const record = await manifest.current();
    if (options.json) return terminal.out(`${JSON.stringify(record)}\n`);
    const text = terminal.interactive ? printable(record.text) : record.text;
    terminal.out(text.endsWith('\n') || !terminal.interactive ? text : `${text}\n`);
    if (terminal.interactive) {
      terminal.err(
        `# version ${record.version}, set ${record.setAt} by ${printable(record.actor)}, sha256 ${record.digest}\n`,
      );
    }
  });
}

/** `siegel manifest history`, newest first. */
export function manifestHistory(options: TenantOptions, terminal: Terminal): Promise<number> {
  return withManifest(options, terminal, async (manifest) => {
    const answer = await manifest.history();
    if (options.json) return terminal.out(`${JSON.stringify(answer)}\n`);
    const newestFirst = [...answer.history].sort((a, b) => b.version - a.version);
    const rows = newestFirst.map(({ version, setAt, actor, digest }) => [
      String(version),
      setAt,
      printable(actor),
      digest,
    ]);
    terminal.out(
      rows.length === 0
        ? 'No manifest was ever set.\n'
        : `${columns([['version', 'set', 'by', 'sha256'], ...rows])}\n`,
    );
  });
}

async function withManifest(
  options: TenantOptions,
  terminal: Terminal,
  show: (manifest: TenantManifest) => Promise<void>,
): Promise<number> {
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('release');
  try {
    await show(new TenantManifest(client, deployment.tenant(options.tenant)));
    return 0;
  } finally {
    await client.close();
  }
}
