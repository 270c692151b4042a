import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StartFailure } from './failure.js';

export interface NatsBinary {
  readonly path: string;
  readonly version: readonly [number, number, number];
}

const FETCH_TIMEOUT_MS = 5 * 60_000;

/**
 * Finds nats-server on the PATH (Debian puts it into /usr/sbin, which an ordinary user's PATH may lack) or among what was fetched
 * before, and otherwise gets Debian's package without installing it: `apt-get download` and `dpkg -x` need no root.
 */
export function findNatsServer(tools: string, progress: (text: string) => void): NatsBinary {
  const candidates = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/usr/local/bin',
    join(tools, 'usr', 'sbin'),
    join(tools, 'bin'),
  ].filter((directory) => directory !== '');
  for (const directory of candidates) {
    const found = probe(join(directory, 'nats-server'));
    if (found) return found;
  }
  return fetchFromDebian(tools, progress) ?? fetchWithGo(tools, progress) ?? missing();
}

function probe(path: string): NatsBinary | undefined {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return undefined;
  }
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const match = /v?(\d+)\.(\d+)\.(\d+)/.exec(stdout ?? '');
  return match ? { path, version: [Number(match[1]), Number(match[2]), Number(match[3])] } : undefined;
}

/** Package lists of our own below the tools folder, because the machine's may be absent and are not ours to update. */
function fetchFromDebian(tools: string, progress: (text: string) => void): NatsBinary | undefined {
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg')) return undefined;
  progress('nats-server is not installed; getting the Debian package (once) ...');
  const state = join(tools, 'apt');
  for (const folder of ['lists/partial', 'archives/partial'])
    mkdirSync(join(state, folder), { recursive: true });
  const own = [
    '-o',
    `Dir::State::Lists=${join(state, 'lists')}`,
    '-o',
    `Dir::Cache::Archives=${join(state, 'archives')}`,
    '-o',
    `Dir::Cache::pkgcache=${join(state, 'pkgcache.bin')}`,
    '-o',
    `Dir::Cache::srcpkgcache=${join(state, 'srcpkgcache.bin')}`,
    '-o',
    'APT::Sandbox::User=',
    '-o',
    'Debug::NoLocking=1',
    '-qq',
  ];
  const run = (command: string, args: string[]) =>
    spawnSync(command, args, { cwd: state, stdio: ['ignore', 'ignore', 'ignore'], timeout: FETCH_TIMEOUT_MS })
      .status === 0;
  const downloaded =
    run('apt-get', [...own, 'download', 'nats-server']) ||
    (run('apt-get', [...own, 'update']) && run('apt-get', [...own, 'download', 'nats-server']));
  if (!downloaded) return undefined;
  const archive = readdirSync(state).find((name) => /^nats-server_.*\.deb$/.test(name));
  if (!archive || !run('dpkg', ['-x', join(state, archive), tools])) return undefined;
  return probe(join(tools, 'usr', 'sbin', 'nats-server'));
}

function fetchWithGo(tools: string, progress: (text: string) => void): NatsBinary | undefined {
  if (spawnSync('go', ['version'], { stdio: 'ignore', timeout: 10_000 }).status !== 0) return undefined;
  progress('nats-server is not installed; building it with Go (once; some minutes) ...');
  const built = spawnSync('go', ['install', 'github.com/nats-io/nats-server/v2@v2.10.27'], {
    env: { ...process.env, GOBIN: join(tools, 'bin') },
    stdio: 'ignore',
    timeout: FETCH_TIMEOUT_MS,
  });
  return built.status === 0 ? probe(join(tools, 'bin', 'nats-server')) : undefined;
}

function missing(): never {
  throw new StartFailure(
    'NATS_MISSING',
    'nats-server was not found and could not be fetched; install it (on Debian: "apt-get install nats-server") and start again.',
  );
}
