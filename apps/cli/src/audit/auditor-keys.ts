import { type AuditorTrust, auditorTrust } from '#auditor';
import { TrustFile } from '#contracts';
import { TransparencyError } from '#transparency';
import type { Command } from 'commander';
import { join } from 'node:path';
import { stateFolder } from '../deployment/siegel-json.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_TRUST_BYTES = 1024 * 1024;

/** Options that say which keys an auditor believes. */
export interface KeyOptions {
  readonly state?: string;
  readonly trust?: string;
  readonly tenant?: string;
  readonly logKey?: string;
  readonly witness?: readonly string[];
}

export function addKeyOptions(command: Command): Command {
  return command
    .optionsGroup('Keys to believe:')
    .option('--trust <file>', 'trust file of the deployment (default: trust.json of the state folder)')
    .option('--tenant <name>', 'whose log (default: the first of the trust file)')
    .option(
      '--log-key <vkey>',
      "the log's verifier key from a source of your own, instead of the trust file's",
    )
    .option(
      '--witness <vkey>',
      'verifier key of a witness that must have cosigned; may be given several times',
      (vkey: string, before: string[] = []) => [...before, vkey],
    );
}

/** The trust file as the options name it; it holds public keys alone. @throws CliError */
export async function readTrust(options: KeyOptions, terminal: Terminal): Promise<TrustFile> {
  const path = options.trust ?? join(stateFolder(options.state, terminal), 'trust.json');
  const bytes = await readWhole(path, MAX_TRUST_BYTES, terminal);
  return parseTrust(bytes.toString('utf8'), path);
}

/** @throws CliError KEYS_INVALID */
export function parseTrust(text: string, path: string): TrustFile {
  try {
    return TrustFile.parse(JSON.parse(text));
  } catch (error) {
    throw CliError.of('KEYS_INVALID', `"${path}" is not a trust file.`, { cause: error });
  }
}

/** @throws CliError KEYS_INVALID */
export function keysOf(file: TrustFile, options: KeyOptions): AuditorTrust {
  try {
    return auditorTrust(file, { tenant: options.tenant, logKey: options.logKey, witnesses: options.witness });
  } catch (error) {
    if (error instanceof TransparencyError)
      throw CliError.of('KEYS_INVALID', `${error.message}.`, { cause: error });
    throw error;
  }
}
