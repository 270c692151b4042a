import { TransparencyError } from '#transparency';
import {
  openOrCreateWitnessKey,
  parseLogKeys,
  Witness,
  WitnessKeyError,
  WitnessServer,
  WitnessStore,
} from '#witness';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_LOGS_BYTES = 1024 * 1024;

export interface WitnessFlags {
  readonly name: string;
  readonly logs: string;
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly json?: true;
}

/** `siegel audit witness`: a witness of one's own, until Ctrl-C. */
export async function runWitness(
  flags: WitnessFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const folder = resolve(terminal.cwd, flags.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { witness, store } = await open(flags, folder, terminal);
  const log = (line: string): void => terminal.err(`${new Date().toISOString()} ${line}\n`);
  const server = await WitnessServer.listen(witness, { host: flags.host, port: flags.port, log });
  const url = `http://${flags.host}:${server.port}`;
  terminal.out(
    flags.json
      ? `${JSON.stringify({ url, key: witness.verifierKey })}\n`
      : `Witness at ${url}\nverifier key: ${witness.verifierKey}\n`,
  );
  if (!signal.aborted)
    await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  await server.close();
  store.close();
  return 0;
}

async function open(
  flags: WitnessFlags,
  folder: string,
  terminal: Terminal,
): Promise<{ witness: Witness; store: WitnessStore }> {
  const text = (await readWhole(flags.logs, MAX_LOGS_BYTES, terminal)).toString('utf8');
  try {
    const logs = parseLogKeys(text);
    if (logs.length === 0) throw CliError.of('KEYS_INVALID', `"${flags.logs}" names no log.`);
    const key = openOrCreateWitnessKey(join(folder, 'witness.pem'));
    const store = WitnessStore.open(join(folder, 'witness.db'));
    return { witness: new Witness(flags.name, key, logs, store), store };
  } catch (error) {
    if (error instanceof TransparencyError || error instanceof WitnessKeyError)
      throw CliError.of('KEYS_INVALID', `${error.message}.`, { cause: error });
    throw error;
  }
}
