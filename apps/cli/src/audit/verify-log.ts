import {
  authenticPromise,
  type AuditorTrust,
  checkCheckpoint,
  isFraud,
  learnKeys,
  type LogReport,
  verifyLog,
} from '#auditor';
import { LogPromise } from '#contracts';
import { type EntryPromise, TransparencyError, type VerifiedCheckpoint } from '#transparency';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { type KeyOptions, keysOf, readTrust } from './auditor-keys.js';
import { exitCodeOf, fraudText } from './fraud-report.js';
import { readAuthority, requireDelegation } from './log-authority.js';
import { openDeployedLog, openNamedLog } from './log-places.js';

const MAX_NOTE_BYTES = 1_000_000;
const MAX_PROMISE_BYTES = 64 * 1024;

export interface VerifyLogFlags extends KeyOptions, DeploymentOptions {
  readonly state?: string;
  readonly tiles?: string;
  readonly allTenants?: true;
  readonly logAuthority?: string;
  readonly promise?: readonly string[];
  readonly checkpoint?: readonly string[];
  readonly promiseMargin: number;
  readonly maxDelay: number;
  readonly json?: true;
}

/** `siegel audit verify`: the whole log from its published files; exit code by the kind of the first fraud. */
export async function verifyPublishedLog(flags: VerifyLogFlags, terminal: Terminal): Promise<number> {
  if (flags.allTenants) {
    const { verifyAllLogs } = await import('./verify-all-logs.js');
    return verifyAllLogs(flags, terminal);
  }
  const trust = keysOf(await readTrust(flags, terminal), flags);
  const authority =
    flags.logAuthority === undefined ? undefined : await readAuthority(flags.logAuthority, terminal);
  const files =
    flags.tiles === undefined
      ? await openDeployedLog(trust.origin.split('/').at(-1)!, flags, terminal)
      : await openNamedLog(flags.tiles, flags, terminal);
  try {
    // What was kept, or who the authority delegates to, may be of a key that the log announced.
    if (authority || flags.checkpoint || flags.promise) await learnKeys(files, trust);
    const remembered = await Promise.all(
      (flags.checkpoint ?? []).map((file) => readCheckpoint(file, trust, terminal)),
    );
    const promises = await Promise.all(
      (flags.promise ?? []).map((file) => readPromise(file, trust, terminal)),
    );
    if (authority) await requireDelegation(files, trust, authority, new Date());
    const report = await verifyLog(files, trust, {
      remembered,
      promises,
      promiseMarginMs: flags.promiseMargin * 1_000,
      maxDelayMs: flags.maxDelay * 1_000,
      now: new Date(),
    });
    print(report, flags, terminal);
    return exitCodeOf(report.frauds);
  } finally {
    await files.close();
  }
}

async function readCheckpoint(
  file: string,
  trust: AuditorTrust,
  terminal: Terminal,
): Promise<VerifiedCheckpoint> {
  // Remembered from before: it counts by the log's own signature, whoever else had cosigned it.
  const checkpoint = checkCheckpoint(await readWhole(file, MAX_NOTE_BYTES, terminal), {
    ...trust,
    witnesses: [],
  });
  if (isFraud(checkpoint)) throw CliError.of('EVIDENCE_INVALID', `"${file}": ${checkpoint.message}.`);
  return checkpoint;
}

/** A promise, or the answer of an attestation or release that carries one. @throws CliError EVIDENCE_INVALID */
async function readPromise(file: string, trust: AuditorTrust, terminal: Terminal): Promise<EntryPromise> {
  const bytes = await readWhole(file, MAX_PROMISE_BYTES * 16, terminal);
  try {
    const json = JSON.parse(bytes.toString('utf8')) as { promise?: unknown };
    return authenticPromise(LogPromise.parse(json.promise ?? json), trust);
  } catch (error) {
    const why = error instanceof TransparencyError ? error.message : 'it is not a promise of an audit log';
    throw CliError.of('EVIDENCE_INVALID', `"${file}": ${why}.`, { cause: error });
  }
}

function print(report: LogReport, flags: VerifyLogFlags, terminal: Terminal): void {
  const { origin, size, root, witnesses, events, frauds, notices } = report;
  if (flags.json) {
    const ok = frauds.length === 0;
    terminal.out(`${JSON.stringify({ ok, origin, size, root, witnesses, events, frauds, notices })}\n`);
    return;
  }
  for (const found of frauds) terminal.out(fraudText(found, terminal));
  for (const notice of notices) terminal.out(`note: ${notice}\n`);
  const cosigned = witnesses.length === 0 ? '' : `, cosigned by ${witnesses.join(', ')}`;
  if (frauds.length === 0)
    terminal.out(
      `${styleFor(terminal.colour).good('verified')} ${origin}: ${size} entries, root ${root}${cosigned}\n`,
    );
}
