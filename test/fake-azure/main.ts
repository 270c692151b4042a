import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ClientFiles } from './client-files.js';
import { DEFAULT_PRINCIPAL, FakeAzure } from './fake-azure.js';
import { ServiceLimits } from './service-limits.js';

const USAGE = `usage: siegel fake-azure [options]

Key Vault, Entra and the instance metadata service on this machine, for tests and development.

  --vault NAME           a vault to serve; may be given several times (default: fake)
  --port N               HTTPS port of vaults and Entra (default: a free one)
  --metadata-port N      HTTP port of metadata service and control (default: a free one)
  --dir FOLDER           where the test CA and the projected token are written (default: a temporary folder)
  --limits KIND          enforce the limits of a real vault: strict (refused requests count too) or lenient
  --secret NAME=VALUE    a secret to set in the first vault; may be given several times
  --json                 print the settings as one JSON object
`;

/** `siegel fake-azure`. Runs until SIGINT or SIGTERM; the result is the exit status (2: wrong usage). */
export async function run(argv: readonly string[]): Promise<number> {
  let options;
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const fake = await FakeAzure.start({
    vaults: options.vaults,
    port: options.port,
    metadataPort: options.metadataPort,
    limits: options.limits,
  });
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'fake-azure-'));
  const [first = 'fake'] = options.vaults;
  for (const [name, value] of options.secrets) fake.vaults.get(first)?.secrets.seed(name, value);
  const files = new ClientFiles(fake, dir);
  report(fake, files, options);
  // Projected tokens live an hour; a kubelet renews them at 80 %.
  const renewal = setInterval(() => files.projectToken(), 40 * 60_000);
  await new Promise<void>((stop) => {
    process.once('SIGINT', () => stop());
    process.once('SIGTERM', () => stop());
  });
  clearInterval(renewal);
  await fake.close();
  if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  return 0;
}

interface Options {
  readonly help: boolean;
  readonly vaults: readonly string[];
  readonly port: number;
  readonly metadataPort: number;
  readonly dir: string | undefined;
  readonly limits: ServiceLimits | boolean;
  readonly secrets: readonly (readonly [string, string])[];
  readonly json: boolean;
}

function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      vault: { type: 'string', multiple: true, default: ['fake'] },
      port: { type: 'string', default: '0' },
      'metadata-port': { type: 'string', default: '0' },
      dir: { type: 'string' },
      limits: { type: 'string' },
      secret: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
  });
  for (const name of values.vault) {
    if (!/^[a-z][a-z0-9-]{2,23}$/.test(name))
      throw new Error(`--vault ${name}: a vault name has 3 to 24 lower-case letters, digits and "-"`);
  }
  return {
    help: values.help,
    vaults: values.vault,
    port: portOf('--port', values.port),
    metadataPort: portOf('--metadata-port', values['metadata-port']),
    dir: values.dir === undefined ? undefined : resolve(values.dir),
    limits: limitsOf(values.limits),
    secrets: values.secret.map((text) => {
      const split = text.indexOf('=');
      if (!/^[0-9A-Za-z-]{1,127}=/.test(text))
        throw new Error(`--secret ${text.slice(0, 40)}: expected NAME=VALUE`);
      return [text.slice(0, split), text.slice(split + 1)] as const;
    }),
    json: values.json,
  };
}

function limitsOf(kind: string | undefined): ServiceLimits | boolean {
  if (kind === undefined) return false;
  if (kind !== 'strict' && kind !== 'lenient') throw new Error(`--limits ${kind}: strict or lenient`);
  return new ServiceLimits(kind === 'strict');
}

function portOf(option: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${option} ${text}: not a port`);
  return port;
}

function report(fake: FakeAzure, files: ClientFiles, options: Options): void {
  const vaults = Object.fromEntries(options.vaults.map((name) => [name, files.vaultSettings(name)]));
  const environment = files.environment();
  const control = `${fake.metadataUrl}/control`;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ vaults, environment, control })}\n`);
    return;
  }
  const lines = [
    'A fake of Azure Key Vault is running. It keeps everything in memory.',
    '',
    ...options.vaults.map((name) => `  vault   ${fake.vaultUrl(name)}  (connect to 127.0.0.1)`),
    `  Entra   ${fake.authorityHost}/${fake.entra.tenantId}`,
    `  IMDS    ${fake.metadataUrl}/metadata/identity/oauth2/token`,
    `  control ${control}/faults|clock|requests|releases|projected-token`,
    '',
    'Environment for other programs (client secret for EnvironmentCredential: ' +
      `${DEFAULT_PRINCIPAL.clientSecret}):`,
    ...Object.entries(environment).map(([key, value]) => `  export ${key}=${value}`),
    '',
    'Vaults for the configuration of key-release:',
    JSON.stringify(vaults, undefined, 2),
    '',
    'Ctrl-C ends it.',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

const entry = process.argv[1];
if (entry !== undefined && import.meta.url === pathToFileURL(entry).href)
  process.exitCode = await run(process.argv.slice(2));
