import { TransparencyError } from '#transparency';
import {
  openOrCreateWitnessKey,
  parseLogKeys,
  Witness,
  WitnessKeyError,
  WitnessServer,
  WitnessStore,
} from '#witness';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** sysexits(3): EX_CONFIG, EX_UNAVAILABLE, as all services have them. */
const CONFIGURATION = 78;
const UNAVAILABLE = 69;

const log = (line: string): void =>
  void process.stderr.write(
    `${JSON.stringify({ time: new Date().toISOString(), name: 'witness', msg: line })}\n`,
  );

function refuse(message: string, code = CONFIGURATION): never {
  process.stderr.write(`witness: configuration: ${message}\n`);
  process.exit(code);
}

function variable(name: string): string {
  return process.env[name] || refuse(`${name} is required`);
}

/** The process is small on purpose (no framework, no NATS): a witness is worth more the less it shares with the log. */
function open(): { witness: Witness; store: WitnessStore } {
  const folder = variable('SIEGEL_STATE_DIR');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const logs = parseLogKeys(readFileSync(variable('SIEGEL_WITNESS_LOGS_FILE'), 'utf8'));
    if (logs.length === 0) refuse('SIEGEL_WITNESS_LOGS_FILE names no log');
    const key = openOrCreateWitnessKey(variable('SIEGEL_WITNESS_KEY_FILE'));
    const store = WitnessStore.open(join(folder, 'witness.db'));
    return { witness: new Witness(variable('SIEGEL_WITNESS_NAME'), key, logs, store), store };
  } catch (error) {
    const known = error instanceof TransparencyError || error instanceof WitnessKeyError;
    if (known || (error as NodeJS.ErrnoException).code === 'ENOENT') refuse((error as Error).message);
    throw error;
  }
}

const port = Number(process.env['SIEGEL_HTTP_PORT'] ?? '0');
if (!Number.isInteger(port) || port < 0 || port > 65_535) refuse('SIEGEL_HTTP_PORT is not a port');
const { witness, store } = open();
const host = process.env['SIEGEL_HTTP_HOST'] ?? '127.0.0.1';
const server = await WitnessServer.listen(witness, { host, port, log }).catch(
  (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    refuse(`port ${port} is in use by another process; choose another port`, UNAVAILABLE);
  },
);
log(`serving on http://${host}:${server.port} as ${witness.verifierKey}`);

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await server.close();
  store.close();
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
if (process.env['SIEGEL_PARENT_PIPE'] === 'true') {
  process.stdin.resume();
  process.stdin.on('end', () => void stop());
}
