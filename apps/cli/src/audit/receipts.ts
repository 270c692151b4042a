import { LogPromise } from '#contracts';
import { checkReceipt, leafHash, TransparencyError } from '#transparency';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Deployment } from '../deployment/deployment.js';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { type KeyOptions, keysOf, readTrust } from './auditor-keys.js';
import { FRAUD_EXIT_CODES } from './fraud-report.js';

const MAX_RECEIPT_BYTES = 1_200_000;
const MAX_ENTRY_FILE_BYTES = 128 * 1024;

export interface ReceiptFlags extends DeploymentOptions {
  readonly tenant?: string;
  readonly index?: string;
  readonly id?: string;
  readonly leaf?: string;
  readonly promise?: string;
  readonly witnesses?: string;
  readonly out?: string;
}

/** `siegel audit receipt`: fetches a receipt, which needs no credential. */
export async function fetchReceipt(flags: ReceiptFlags, terminal: Terminal): Promise<number> {
  const query = new URLSearchParams();
  for (const name of ['index', 'id', 'leaf', 'witnesses'] as const)
    if (flags[name] !== undefined) query.set(name, flags[name]);
  if (flags.promise !== undefined) query.set('leaf', (await promiseIn(flags.promise, terminal)).leafHash);
  if (['index', 'id', 'leaf'].filter((name) => query.has(name)).length !== 1)
    throw CliError.of('USAGE', 'Give one of --index, --id, --leaf and --promise.');
  const deployment = await Deployment.open(flags, terminal);
  const client = await deployment.client('audit', { anonymous: true });
  try {
    const text = await client.text(`/v1/logs/${deployment.tenant(flags.tenant)}/receipt?${query}`);
    if (flags.out === undefined) terminal.out(text);
    else await writeFile(resolve(terminal.cwd, flags.out), text);
    return 0;
  } finally {
    await client.close();
  }
}

export interface CheckReceiptFlags extends KeyOptions {
  readonly succession?: readonly string[];
  readonly leaf?: string;
  readonly entry?: string;
  readonly promise?: string;
  readonly json?: true;
}

/** `siegel audit check-receipt`: offline, with public keys alone. */
export async function checkReceiptFile(
  file: string,
  flags: CheckReceiptFlags,
  terminal: Terminal,
): Promise<number> {
  const text = (await readWhole(file, MAX_RECEIPT_BYTES, terminal)).toString('utf8');
  // With the log's key given, no other key is needed.
  const trusted =
    flags.logKey === undefined || flags.trust !== undefined
      ? await readTrust(flags, terminal)
      : { siegelTrust: 1 as const, verifiers: [], emitters: [], manifestSigners: [], logs: [] };
  const trust = keysOf(trusted, flags);
  for (const note of flags.succession ?? [])
    trust.keys.learn((await readWhole(note, MAX_RECEIPT_BYTES, terminal)).toString('utf8'));
  const promise = flags.promise === undefined ? undefined : await promiseIn(flags.promise, terminal);
  const leaf = await leafOf(flags, promise, terminal);
  try {
    const { index, checkpoint } = checkReceipt(
      text,
      { leaf, promise },
      {
        origin: trust.origin,
        log: trust.keys.verifiers,
        promiseKey: trust.keys.promiseKeys,
        witnesses: trust.witnesses,
        minWitnesses: trust.witnesses.length,
      },
    );
    const { size, root, witnesses } = checkpoint;
    if (flags.json)
      terminal.out(
        `${JSON.stringify({ ok: true, origin: trust.origin, index, size, root: root.toString('base64'), witnesses })}\n`,
      );
    else
      terminal.out(
        `${styleFor(terminal.colour).good('verified')} entry ${index} of ${trust.origin} is in the tree of ${size} entries` +
          `${witnesses.length === 0 ? '' : `, cosigned by ${witnesses.join(', ')}`}\n`,
      );
    return 0;
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    const { code, message } = error;
    if (flags.json) terminal.out(`${JSON.stringify({ ok: false, error: { code, message } })}\n`);
    else terminal.out(`${styleFor(terminal.colour).bad('NOT verified')} ${code}: ${message}\n`);
    return code === 'PROMISE_BROKEN' ? FRAUD_EXIT_CODES.rewritten : 1;
  }
}

async function leafOf(
  flags: CheckReceiptFlags,
  promise: LogPromise | undefined,
  terminal: Terminal,
): Promise<Buffer> {
  const given = [flags.leaf, flags.entry, flags.promise].filter((option) => option !== undefined);
  if (given.length !== 1)
    throw CliError.of('USAGE', 'Say what the receipt is for: one of --leaf, --entry and --promise.');
  if (flags.entry !== undefined)
    return leafHash(await readWhole(flags.entry, MAX_ENTRY_FILE_BYTES, terminal));
  const hex = promise?.leafHash ?? flags.leaf ?? '';
  if (!/^[0-9a-f]{64}$/.test(hex)) throw CliError.of('USAGE', '--leaf is not 64 lower-case hex digits.');
  return Buffer.from(hex, 'hex');
}

async function promiseIn(file: string, terminal: Terminal): Promise<LogPromise> {
  const text = (await readWhole(file, MAX_RECEIPT_BYTES, terminal)).toString('utf8');
  try {
    const json = JSON.parse(text) as { promise?: unknown };
    return LogPromise.parse(json.promise ?? json);
  } catch (error) {
    throw CliError.of('EVIDENCE_INVALID', `"${file}" holds no promise of an audit log.`, { cause: error });
  }
}
