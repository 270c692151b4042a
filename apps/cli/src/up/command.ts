import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_TENANT } from '#contracts';
import type { Session } from '../session.js';
import type { LocalDeployment } from './deployment.js';
import { StartFailure } from './failure.js';
import { DEFAULT_PORTS } from './ports.js';
import { serviceVariable } from './service-variable.js';

interface UpFlags {
  state?: string;
  demo?: boolean;
  once?: boolean;
  json?: boolean;
  natsPort: number;
  releasePort: number;
  verifierPort: number;
  auditPort: number;
  witnessPort: number;
  graminePort?: number;
  trusteePort?: number;
  maaPort?: number;
  logLevel: string;
  vaults?: string;
  env?: Record<string, string>;
}

const CHECKOUT = fileURLToPath(new URL('../../../../../', import.meta.url));

export function registerUp(program: Command, session: Session): void {
  program
    .command('up')
    .helpGroup('Running it:')
    .description('run nats-server and the three services on this machine, until Ctrl-C')
    .option('--demo', 'also run the main job with two simulated enclaves')
    .option('--once', 'stop when the demo is done; exit 0 only if all of it held')
    .option('--json', 'print one JSON object and nothing else on standard output')
    .option('--state <dir>', 'state folder (default: .siegel in the checkout, or SIEGEL_STATE)')
    .option(
      '--nats-port <port>',
      'port of nats-server; 0 for any free one',
      port('NATS'),
      fromEnv('NATS', DEFAULT_PORTS.nats),
    )
    .option(
      '--release-port <port>',
      'port of key-release',
      port('RELEASE'),
      fromEnv('RELEASE', DEFAULT_PORTS.release),
    )
    .option(
      '--verifier-port <port>',
      'port of quote-verifier',
      port('VERIFIER'),
      fromEnv('VERIFIER', DEFAULT_PORTS.verifier),
    )
    .option('--audit-port <port>', 'port of audit', port('AUDIT'), fromEnv('AUDIT', DEFAULT_PORTS.audit))
    .option(
      '--witness-port <port>',
      'port of the embedded witness; 0 for any free one',
      port('WITNESS'),
      fromEnv('WITNESS', 0),
    )
    .option(
      '--gramine-port <port>',
      "port of Gramine's Secret Provisioning; 0 for any free one (default: off)",
      port('GRAMINE'),
    )
    .option(
      '--trustee-port <port>',
      "port of Trustee's KBS protocol; 0 for any free one (default: off)",
      port('TRUSTEE'),
    )
    .option(
      '--maa-port <port>',
      "port of the verifier's API of Microsoft Azure Attestation; 0 for any free one (default: off)",
      port('MAA'),
    )
    .option('--log-level <level>', 'how much the services log', 'info')
    .option('--vaults <file>', 'vaults besides the embedded one: JSON as in docs/operations.md')
    .option(
      '--env <NAME=VALUE>',
      'a further variable of the services (SIEGEL_…, AZURE_…); may be given several times',
      serviceVariable,
    )
    .action(session.command((flags: UpFlags) => up(flags, session)));
}

function port(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,5}$/.test(text) || value > 65_535)
      throw new InvalidArgumentError(`${name} port must be 0 to 65535.`);
    return value;
  };
}

/** Ports can be set in the environment as well, for where a command line is out of reach (CI). */
function fromEnv(name: string, preset: number): number {
  const text = process.env[`SIEGEL_${name}_PORT`];
  return text === undefined || text === '' ? preset : port(name)(text);
}

async function up(flags: UpFlags, session: Session): Promise<number> {
  const { terminal } = session;
  const quiet = flags.json === true;
  const say = (text: string): void => (quiet ? undefined : terminal.out(`${text}\n`));
  const progress = (text: string): void => terminal.err(`${text}\n`);
  const stateDir = resolve(
    terminal.cwd,
    flags.state ?? terminal.env['SIEGEL_STATE'] ?? resolve(CHECKOUT, '.siegel'),
  );
  const stopped = session.untilStopped();
  // The simulator and the key libraries are large; only this command needs them.
  const { LocalDeployment } = await import('./deployment.js');
  let deployment: LocalDeployment;
  try {
    if (!quiet) say('Starting nats-server, audit, quote-verifier and key-release ...');
    deployment = await LocalDeployment.start({
      stateDir,
      toolsDir: resolve(terminal.cwd, terminal.env['SIEGEL_TOOLS'] ?? resolve(CHECKOUT, '.siegel', 'tools')),
      ports: {
        nats: flags.natsPort,
        release: flags.releasePort,
        verifier: flags.verifierPort,
        audit: flags.auditPort,
        witness: flags.witnessPort,
        ...(flags.graminePort === undefined ? {} : { gramine: flags.graminePort }),
        ...(flags.trusteePort === undefined ? {} : { trustee: flags.trusteePort }),
        ...(flags.maaPort === undefined ? {} : { maa: flags.maaPort }),
      },
      tenant: DEFAULT_TENANT,
      logLevel: flags.logLevel,
      ...(flags.vaults === undefined ? {} : { vaultsFile: resolve(flags.vaults) }),
      environment: flags.env ?? {},
      progress,
    });
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    if (quiet)
      terminal.out(`${JSON.stringify({ ok: false, error: { code: error.code, message: error.message } })}\n`);
    else terminal.err(`siegel: ${error.message}\n`);
    return 1;
  }
  try {
    return await serve(deployment, flags, stopped, say, (text) => terminal.out(text));
  } finally {
    if (!quiet && !flags.once) progress('Stopping ...');
    await deployment.stop();
  }
}

async function serve(
  deployment: LocalDeployment,
  flags: UpFlags,
  stopped: AbortSignal,
  say: (text: string) => void,
  out: (text: string) => void,
): Promise<number> {
  let exitCode = 0;
  if (flags.demo || flags.once) {
    say('');
    const { runDemo } = await import('../demo/run-demo.js');
    const result = await runDemo(deployment, { say });
    for (const { name, ok, detail } of result.checks)
      if (!ok) say(`  FAILED: ${name}${detail === undefined ? '' : ` (${detail})`}`);
    if (flags.json) out(`${JSON.stringify(flags.once ? result : { ...result, ...endpoints(deployment) })}\n`);
    if (!result.ok) exitCode = 1;
    if (flags.once) {
      say(result.ok ? '\nAll of it held.' : '\nNot all of it held.');
      return exitCode;
    }
  } else if (flags.json) {
    out(`${JSON.stringify({ ok: true, ...endpoints(deployment) })}\n`);
  }
  say(whereThingsAre(deployment));
  if (!stopped.aborted)
    await new Promise<void>((done) => stopped.addEventListener('abort', () => done(), { once: true }));
  return exitCode;
}

function endpoints({ settings, pids }: LocalDeployment) {
  const { ports, publicUrl, layout } = settings;
  return {
    state: layout.root,
    endpoints: {
      release: publicUrl,
      verifier: `http://127.0.0.1:${ports.verifier}`,
      audit: `http://127.0.0.1:${ports.audit}`,
      witness: `http://127.0.0.1:${ports.witness}`,
      nats: `nats://127.0.0.1:${ports.nats}`,
      ...(ports.gramine === undefined ? {} : { gramine: `localhost:${ports.gramine}` }),
      ...(ports.trustee === undefined ? {} : { trustee: `localhost:${ports.trustee}` }),
      ...(settings.maa === undefined ? {} : { maa: settings.maa.issuer }),
    },
    pids,
  };
}

function whereThingsAre({ settings }: LocalDeployment): string {
  const { ports, publicUrl, layout, newAuditToken } = settings;
  const token =
    newAuditToken === undefined ? '' : `\nToken of the operators' API, shown this once: ${newAuditToken}`;
  return `
Everything keeps running until Ctrl-C. The APIs:
  enclaves   ${publicUrl}/v1/attest          (description: ${publicUrl}/openapi.json)
  operators  http://127.0.0.1:${ports.audit}/v1/events        (bearer token: ${layout.auditToken})
  auditors   nats://127.0.0.1:${ports.nats}, subject siegel.events.>  (npx siegel auditor create NAME)
  verifier   http://127.0.0.1:${ports.verifier}/v1/collateral
State and logs: ${layout.root}${token}
Try: npx siegel audit query --type attestation.denied`;
}
