import { parseArgs } from 'node:util';
import { VaultRegistry, VaultsConfig, type AzureVaultConfig } from '#vault';
import { onItsOwn, runFleet, throughReader, type FleetResult } from './boots.js';
import { FakeProcess, VAULT } from './fake-process.js';

const USAGE = `usage: npm run bench -- fleet [options]

A fleet boots at once against a vault with Key Vault's limits: through one reader, and with one read for each enclave and secret.

  --boots N            enclaves (default 10000)
  --secrets N          secrets that each of them needs (default 5)
  --over-ms N          time over which the boots are spread (default 1000)
  --own-boots N        enclaves in the comparison, which takes long (default 2000; 0 leaves it out)
  --json               print one JSON object
`;

/** Reads in ten seconds that a vault allows: azure.md §1.7. */
const LIMIT_PER_10S = 4_000;

interface Side extends FleetResult {
  readonly vaultReads: number;
  readonly throttled: number;
}

export async function run(argv: readonly string[]): Promise<number> {
  let options;
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const secrets = Array.from({ length: options.secrets }, (_, i) => `secret-${i}`);
  const fake = await FakeProcess.start(secrets);
  try {
    const reader = await measure(fake, true, options.boots, options.overMs, secrets);
    // A window of the limits must pass, so that the second fleet begins with the whole budget as the first did.
    const own =
      options.ownBoots === 0
        ? undefined
        : await afterWindow(() => measure(fake, false, options.ownBoots, options.overMs, secrets));
    const needed = options.boots * options.secrets;
    const result = {
      secretsPerBoot: options.secrets,
      limitPer10s: LIMIT_PER_10S,
      reader,
      ...(own === undefined ? {} : { own }),
      /** Seconds below which no fleet of the first size can be with a read for each, however clever its back-off. */
      ownFloorSeconds: Math.max(0, Math.ceil(needed / LIMIT_PER_10S) - 1) * 10,
    };
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : describe(result));
    return reader.errors === 0 && reader.vaultReads <= options.secrets ? 0 : 1;
  } finally {
    await fake.close();
  }
}

async function measure(
  fake: FakeProcess,
  cached: boolean,
  boots: number,
  overMs: number,
  secrets: readonly string[],
): Promise<Side> {
  const registry = await VaultRegistry.open(withSockets(fake.config), { baseDir: fake.dir });
  try {
    // The token is fetched before the fleet boots, as in a service that is ready.
    await registry.writable(VAULT).check();
    await fake.takeReads();
    const read = cached ? throughReader(registry.get(VAULT)) : onItsOwn(registry.writable(VAULT));
    const result = await runFleet(boots, overMs, secrets, read);
    const { reads, throttled } = await fake.takeReads();
    return { ...result, vaultReads: reads, throttled };
  } finally {
    await registry.close();
  }
}

/** Enclaves that queue for a socket in this process must not time out for it: on their own they would each have one. */
function withSockets(config: VaultsConfig): VaultsConfig {
  const vault = config[VAULT] as AzureVaultConfig;
  return VaultsConfig.parse({ [VAULT]: { ...vault, timeoutSeconds: 120 } });
}

async function afterWindow<T>(next: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, 10_500));
  return next();
}

function describe(result: {
  reader: Side;
  own?: Side;
  ownFloorSeconds: number;
  secretsPerBoot: number;
}): string {
  const line = (title: string, side: Side): string =>
    [
      `${title}: ${side.boots} boots with ${result.secretsPerBoot} secrets each`,
      `  last release after ${(side.lastReleaseMs / 1_000).toFixed(2)} s, errors ${side.errors}`,
      `  boot p50 ${side.p50Ms.toFixed(1)} ms, p99 ${side.p99Ms.toFixed(1)} ms`,
      `  vault reads ${side.vaultReads}, of these throttled ${side.throttled}`,
    ].join('\n');
  return [
    line('one reader', result.reader),
    ...(result.own === undefined ? [] : [line('one read for each', result.own)]),
    `with one read for each, ${result.reader.boots} boots cannot end before ${result.ownFloorSeconds} s`,
    '',
  ].join('\n');
}

function readOptions(argv: readonly string[]): {
  boots: number;
  secrets: number;
  overMs: number;
  ownBoots: number;
  json: boolean;
} {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      boots: { type: 'string', default: '10000' },
      secrets: { type: 'string', default: '5' },
      'over-ms': { type: 'string', default: '1000' },
      'own-boots': { type: 'string', default: '2000' },
      json: { type: 'boolean', default: false },
    },
  });
  const count = (option: string, text: string, least: number, most: number): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${option} ${text}: a number from ${least} to ${most}`);
    return value;
  };
  return {
    boots: count('boots', values.boots, 1, 1_000_000),
    secrets: count('secrets', values.secrets, 1, 100),
    overMs: count('over-ms', values['over-ms'], 1, 600_000),
    ownBoots: count('own-boots', values['own-boots'], 0, 100_000),
    json: values.json,
  };
}
