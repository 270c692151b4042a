import {
  type AuditorTrust,
  checkCheckpoint,
  type Fraud,
  isFraud,
  JointNumbering,
  type LogReport,
  type PublishedFiles,
  verifyLog,
} from '#auditor';
import { peekCheckpoint, TransparencyError, type VerifiedCheckpoint } from '#transparency';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { keysOf, readTrust } from './auditor-keys.js';
import { exitCodeOf, fraudText } from './fraud-report.js';
import { openDeployedLog, openNamedLog } from './log-places.js';
import type { PublishedLog } from './published-log.js';
import type { VerifyLogFlags } from './verify-log.js';

const MAX_NOTE_BYTES = 1_000_000;

interface Verified {
  trust: AuditorTrust;
  files: PublishedLog;
}
type LogFraud = Fraud & { log?: string };

/** `siegel audit verify --all-tenants`: every log of the trust file, and the emitters' numbers over all of them. */
export async function verifyAllLogs(flags: VerifyLogFlags, terminal: Terminal): Promise<number> {
  for (const [name, given] of [
    ['--tenant', flags.tenant],
    ['--log-key', flags.logKey],
    ['--log-authority', flags.logAuthority],
    ['--promise', flags.promise],
  ] as const)
    if (given !== undefined)
      throw CliError.of('USAGE', `${name} is about one log; it does not go with --all-tenants.`);
  const file = await readTrust(flags, terminal);
  const tenants = [...new Set(file.logs.map(({ origin }) => origin.split('/').at(-1)!))];
  const notes = await Promise.all(
    (flags.checkpoint ?? []).map(async (path) =>
      (await readWhole(path, MAX_NOTE_BYTES, terminal)).toString('utf8'),
    ),
  );
  const logs: Verified[] = [];
  try {
    for (const tenant of tenants) {
      const files =
        flags.tiles === undefined
          ? await openDeployedLog(tenant, flags, terminal)
          : await openNamedLog(`${flags.tiles.replace(/\/+$/, '')}/${tenant}`, flags, terminal);
      logs.push({ trust: keysOf(file, { ...flags, tenant }), files: await frozen(files) });
    }
    const joint = new JointNumbering();
    const reports: LogReport[] = [];
    for (const { trust, files } of logs) {
      reports.push(
        await verifyLog(files, trust, {
          remembered: rememberedOf(notes, trust),
          joint,
          promiseMarginMs: flags.promiseMargin * 1_000,
          maxDelayMs: flags.maxDelay * 1_000,
          now: new Date(),
        }),
      );
    }
    const frauds: LogFraud[] = reports.flatMap(({ origin, frauds: own }) =>
      own.map((found) => ({ log: origin, ...found })),
    );
    // A log that cannot be read takes its numbers with it: that is said already.
    if (frauds.length === 0) frauds.push(...joint.unexplained());
    print(reports, frauds, flags, terminal);
    return exitCodeOf(frauds);
  } finally {
    await Promise.all(logs.map(({ files }) => files.close()));
  }
}

/** The files with the checkpoint of now: while the first log is read, the others go on, and their new events would seem to miss theirs. */
async function frozen(files: PublishedLog): Promise<PublishedLog> {
  const checkpoint = await files.read('checkpoint');
  const read: PublishedFiles['read'] = (path) =>
    path === 'checkpoint' ? Promise.resolve(checkpoint) : files.read(path);
  return { read, close: () => files.close() };
}

/** The checkpoints that are this log's. @throws CliError EVIDENCE_INVALID */
function rememberedOf(notes: readonly string[], trust: AuditorTrust): VerifiedCheckpoint[] {
  return notes.flatMap((note) => {
    try {
      if (peekCheckpoint(note).origin !== trust.origin) return [];
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      throw CliError.of('EVIDENCE_INVALID', `A remembered checkpoint is none: ${error.message}.`, {
        cause: error,
      });
    }
    const checkpoint = checkCheckpoint(note, { ...trust, witnesses: [] });
    if (isFraud(checkpoint)) throw CliError.of('EVIDENCE_INVALID', `${checkpoint.message}.`);
    return [checkpoint];
  });
}

function print(
  reports: readonly LogReport[],
  frauds: readonly LogFraud[],
  flags: VerifyLogFlags,
  terminal: Terminal,
): void {
  const ok = frauds.length === 0;
  if (flags.json) {
    terminal.out(`${JSON.stringify({ ok, logs: reports, frauds })}\n`);
    return;
  }
  for (const found of frauds)
    terminal.out(`${found.log === undefined ? '' : `${found.log}: `}${fraudText(found, terminal)}`);
  for (const { origin, size, frauds: own, notices } of reports) {
    for (const notice of notices) terminal.out(`note: ${origin}: ${notice}\n`);
    if (own.length === 0)
      terminal.out(`${styleFor(terminal.colour).good('verified')} ${origin}: ${size} entries\n`);
  }
  if (ok)
    terminal.out(
      `${styleFor(terminal.colour).good('verified')} no number is missing over all ${reports.length} logs\n`,
    );
}
