import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LocalDeployment } from '../up/deployment.js';
import { StartFailure } from '../up/failure.js';
import { readCoordinatorSettings, SettingsError, type CoordinatorSettings } from './settings.js';

/**
 * MarbleRun's coordinator program, for what starts it by its variables: upstream's integration suite, scripts, a container. It runs the
 * broker and all services as one process group below the seal folder, in the compatibility profile: marbles without a quote are admitted,
 * whoever comes first sets the manifest, manifests are checked as loosely as upstream does. For tests and trials, not for secrets.
 */
const TENANT = 'marblerun';
const PORT_WAIT_MS = 15_000;
/** Ends a process with its parent, however that ends; util-linux. Without it a SIGKILL of us would leave the broker running. */
const SETPRIV = '/usr/bin/setpriv';
const CHECKOUT = fileURLToPath(new URL('../../../../../', import.meta.url));

// A parent may give us no environment at all; nats-server and Debian's tools are looked for here.
process.env['PATH'] ??= '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const say = (text: string): void => void process.stderr.write(`marblerun-coordinator: ${text}\n`);

try {
  const settings = readCoordinatorSettings(process.env, process.cwd());
  const deployment = await start(settings);
  say(`clients on port ${settings.clientPort}, marbles on port ${settings.meshPort}`);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void deployment.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
} catch (error) {
  if (!(error instanceof SettingsError) && !(error instanceof StartFailure)) throw error;
  say(error.message);
  process.exit(1);
}

async function start(settings: CoordinatorSettings): Promise<LocalDeployment> {
  const { sealDir, meshPort, clientPort, host, names, startupManifest } = settings;
  const state = join(sealDir, 'siegel');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const file = join(state, 'marblerun.json');
  const coordinator = {
    tenant: TENANT,
    default: true,
    names,
    sealDir,
    sealKey: { kind: 'file', path: join(state, 'seal.key') },
    keys: 'P-384',
    simulation: true,
    firstManifest: 'first-caller',
    manifestChecks: 'upstream',
    recoveryAttemptsPerMinute: 10_000,
    ...(startupManifest === undefined ? {} : { startupManifest }),
  };
  writeFileSync(file, JSON.stringify({ deployments: { coordinator } }), { mode: 0o600 });
  // A predecessor that was killed a moment ago may not have given its ports back.
  await Promise.all([meshPort, clientPort].map((port) => untilFree(port, host)));
  return LocalDeployment.start({
    stateDir: state,
    toolsDir: join(CHECKOUT, '.siegel', 'tools'),
    ports: { nats: 0, release: 0, verifier: 0, audit: 0 },
    tenant: TENANT,
    logLevel: process.env['EDG_DEBUG_LOGGING'] === '1' ? 'debug' : 'info',
    environment: {
      SIEGEL_MARBLERUN_FILE: file,
      SIEGEL_MARBLERUN_HOST: host,
      SIEGEL_MARBLERUN_MESH_PORT: String(meshPort),
      SIEGEL_MARBLERUN_CLIENT_PORT: String(clientPort),
      // A marble that is told "unavailable" gives up; on a busy machine it rather waits.
      SIEGEL_AUDIT_TIMEOUT_MS: '15000',
      SIEGEL_VERIFY_TIMEOUT_MS: '15000',
    },
    staged: true,
    ...(existsSync(SETPRIV) ? { leash: [SETPRIV, '--pdeathsig', 'KILL', '--'] } : {}),
    progress: say,
  });
}

async function untilFree(port: number, host: string): Promise<void> {
  const until = Date.now() + PORT_WAIT_MS;
  while (!(await isFree(port, host))) {
    if (Date.now() > until)
      throw new StartFailure('PORT_OCCUPIED', `port ${port} is in use by another process`);
    await sleep(50);
  }
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
