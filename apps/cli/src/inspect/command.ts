import type { Command } from 'commander';
import type { Session } from '../session.js';

export function registerInspect(program: Command, session: Session): void {
  program
    .command('inspect')
    .helpGroup('Quotes and collateral (offline):')
    .summary('look into a quote, certificate, CRL, TCB info, bundle or SIGSTRUCT')
    .description(
      'Recognises a file by its content and shows what is in it: quotes (with offsets), Open Enclave evidence, PCK certificates ' +
        'and chains, RA-TLS certificates, CRLs, TCB info, QE identity, collateral bundles, SIGSTRUCTs. It verifies nothing.',
    )
    .argument('<file>', 'binary, hex, base64, PEM or JSON; "-" reads standard input')
    .option('--json', 'print {kind, title, encoding, size, sections, remarks}')
    .addHelpText('after', '\nExit code: 0 shown, 1 damaged or of no known kind, 2 the file cannot be read.')
    .action(
      session.command(async (file: string, options: { json?: true }) => {
        const { inspectFile } = await import('./inspect-file.js');
        return inspectFile(file, options.json === true, session.terminal);
      }),
    );
}
