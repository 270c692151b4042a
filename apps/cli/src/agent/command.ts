import type { Command } from 'commander';
import type { Session } from '../session.js';

export interface AgentOptions {
  readonly evidence: string;
  readonly listen?: string;
  readonly socket?: string;
  readonly device: string;
  readonly state?: string;
  readonly mrenclave?: string;
  readonly ca?: string;
  readonly allow: readonly string[];
  readonly json?: true;
}

export function registerAgent(program: Command, session: Session): void {
  program
    .command('agent')
    .helpGroup('Running it:')
    .summary('serve the secure-key-release sidecar API inside of an enclave')
    .description(
      "Serves the API of Microsoft's secure-key-release sidecar (/status, /attest/raw, /attest/maa, /key/release) for SGX: evidence of the enclave " +
        'in which it runs, tokens of an attestation service of the MAA protocol, keys of an endpoint of the Key Vault protocol. It runs in the same ' +
        'enclave as its application; keys leave it in the clear, so it listens on a Unix socket or on loopback alone.',
    )
    .requiredOption(
      '--evidence <gramine|simulator>',
      "where quotes come from: Gramine's /dev/attestation, or software",
    )
    .option(
      '--listen <address:port>',
      'loopback address, port 0 for any free one (simulator: 127.0.0.1:8080); in Gramine the host can use it and pass for the enclave',
    )
    .option(
      '--socket <path>',
      "Unix socket instead; in Gramine it is encrypted between the enclave's processes",
    )
    .option('--device <dir>', "Gramine's attestation device", '/dev/attestation')
    .option('--state <dir>', 'state folder of "siegel up", for simulated evidence')
    .option('--mrenclave <hex>', 'measurement of the simulated enclave')
    .option('--ca <pem>', "authorities of the endpoints, instead of the system's")
    .option(
      '--allow <host[:port]>',
      'endpoint that requests may name; may be given several times (default: any that the authorities certify)',
      (value: string, earlier: readonly string[]) => [...earlier, value],
      [] as readonly string[],
    )
    .option('--json', 'print {listening} when it serves')
    .addHelpText(
      'after',
      `
Example, in a Gramine manifest with /ca.pem among its trusted files:
  siegel agent --evidence gramine --socket /tmp/skr.sock --ca /ca.pem --allow attest.shop.example --allow release.shop.example`,
    )
    .action(
      session.command(async (options: AgentOptions) => {
        const { runAgent } = await import('./run-agent.js');
        return runAgent(options, session);
      }),
    );
}
