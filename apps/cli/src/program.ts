import { Command } from 'commander';
import { registerAgent } from './agent/command.js';
import { registerAttest } from './attest/command.js';
import { registerAudit } from './audit/command.js';
import { registerAuditor } from './auditor/command.js';
import { version } from './checkout.js';
import { registerCollateral } from './collateral/command.js';
import { registerDoctor } from './doctor/command.js';
import { registerEnclaveSession } from './enclave-session/command.js';
import { registerFakeAzure } from './fake-azure/command.js';
import { registerGramine } from './gramine/command.js';
import { registerInspect } from './inspect/command.js';
import { registerManifest } from './manifest/command.js';
import { registerDemo } from './demo/index.js';
import { registerPolicy } from './policy/command.js';
import { registerSimulate } from './simulate/command.js';
import { registerUp } from './up/index.js';
import { registerSecret } from './secret/command.js';
import type { Session } from './session.js';
import { registerToken } from './token/command.js';
import { registerVerify } from './verify/command.js';

/**
 * All commands with their options. What a command needs to do its work it imports when it runs.
 * @param json a machine reads standard output: commander's own messages stay away from it
 */
export function buildProgram(session: Session, json = false): Command {
  const program = new Command('siegel');
  program
    .description(
      'Siegel: attestation and secret delivery for confidential containers. An enclave attests once and receives its ' +
        'TLS identity and its secrets; every decision is logged before a secret leaves.',
    )
    .usage('COMMAND [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .exitOverride()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => session.terminal.out(text),
      // A missing command prints the help here; error messages are written once, by showFailure.
      writeErr: (text) => void (json || session.terminal.err(text)),
      outputError: () => undefined,
      getOutHelpWidth: () => session.terminal.columns ?? 80,
      getErrHelpWidth: () => session.terminal.columns ?? 80,
      getOutHasColors: () => session.terminal.colour,
      getErrHasColors: () => session.terminal.colour,
    })
    .addHelpText(
      'after',
      `
Examples:
  $ npm start                                          run everything and watch an enclave get its secrets
  $ siegel inspect quote.bin                           look into a quote, certificate, CRL or SIGSTRUCT
  $ siegel verify quote.bin --collateral bundle.json --at 2025-09-08T05:50:18Z
  $ siegel manifest lint manifest.yaml && siegel manifest set manifest.yaml
  $ printf %s "$PASSWORD" | siegel secret put db-password
  $ siegel audit query --outcome denied --since 1h     why was it denied?
  $ siegel doctor                                      is everything well?

--json prints one JSON object (one per line where it streams) and nothing else on standard output.
Exit code: 0 done, 1 refused or failed, 2 the command was not understood or a file cannot be read.`,
    );
  registerUp(program, session);
  registerDemo(program, session);
  registerAgent(program, session);
  registerVerify(program, session);
  registerInspect(program, session);
  registerToken(program, session);
  registerCollateral(program, session);
  registerManifest(program, session);
  registerPolicy(program, session);
  registerSecret(program, session);
  registerGramine(program, session);
  registerAttest(program, session);
  registerEnclaveSession(program, session);
  registerAudit(program, session);
  registerAuditor(program, session);
  registerDoctor(program, session);
  registerSimulate(program, session);
  registerFakeAzure(program, session);
  return program;
}

/** The command that the arguments name, as far as they do: `siegel manifest set`. */
export function commandPath(program: Command, args: readonly string[]): string {
  const names = [program.name()];
  let command = program;
  for (const arg of args) {
    const next = command.commands.find((each) => each.name() === arg || each.aliases().includes(arg));
    if (!next) break;
    names.push(next.name());
    command = next;
  }
  return names.join(' ');
}
