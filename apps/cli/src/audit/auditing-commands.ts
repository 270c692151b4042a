import { type Command, InvalidArgumentError } from 'commander';
import { addDeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';
import { serviceVariable } from '../up/service-variable.js';
import { addKeyOptions } from './auditor-keys.js';
import type { FollowFlags } from './follow.js';
import type { RebuildFlags } from './rebuild.js';
import type { CheckReceiptFlags, ReceiptFlags } from './receipts.js';
import type { VerifyLogFlags } from './verify-log.js';
import type { WitnessFlags } from './witness.js';

const EXIT_CODES = `
Exit code: 0 nothing wrong, 10 forged, 11 rewritten, 12 dropped, 13 forked, 14 rolled back; 1 and 2 as everywhere.`;

const several = (value: string, before: string[] = []): string[] => [...before, value];

function whole(limit: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text) || Number(text) > limit)
      throw new InvalidArgumentError(`it is a whole number up to ${limit}.`);
    return Number(text);
  };
}

/** What auditors run: they believe keys, not services. */
export function registerAuditing(audit: Command, session: Session): void {
  const { terminal } = session;
  const maxDelay = [
    '--max-delay <seconds>',
    'how much older than an earlier entry an event may be',
    whole(31_536_000),
    3_600,
  ] as const;

  const verify = audit
    .command('verify')
    .summary('verify the whole log from its tiles')
    .description(
      "Hashes every entry again, compares every tile, checks the checkpoint, the emitters' signatures and their numbering.",
    )
    .option('--tiles <folder|url>', 'the published log (default: from the audit service, with its token)')
    .option(
      '--all-tenants',
      "the logs of all tenants, and the emitters' numbers over all of them; --tiles has a folder per tenant",
    )
    .option(
      '--checkpoint <file>',
      'a checkpoint seen before, which the log must extend; several times',
      several,
    )
    .option(
      '--promise <file>',
      'a promise (or an answer that holds one) that must be kept; several times',
      several,
    )
    .option(
      '--log-authority <file>',
      'public key (PEM or JWK) in Key Vault that must delegate to the key of the log',
    )
    .option('--promise-margin <seconds>', 'time that the log has to keep a promise', whole(86_400), 30)
    .option(...maxDelay)
    .option('--json', 'print one JSON object');
  addDeploymentOptions(addKeyOptions(verify), 'audit')
    .addHelpText('after', EXIT_CODES)
    .action(
      session.command(async (flags: VerifyLogFlags) => {
        const { verifyPublishedLog } = await import('./verify-log.js');
        return verifyPublishedLog(flags, terminal);
      }),
    );

  const follow = audit
    .command('follow')
    .summary('verify the log as it grows')
    .description(
      'Verifies every event and every checkpoint, until Ctrl-C or the first fraud. What was verified is remembered, so ' +
        'that a later run sees a log that went back or became another. Emitters number their events over all tenants: ' +
        'who follows all of their logs together also sees events that are missing, stand twice or were put in later.',
    )
    .option(
      '--creds <file>',
      'credentials from "siegel auditor create"; several times for several tenants',
      several,
    )
    .option(
      '--all-tenants',
      'every log of the trust file together, by token or certificate: what is remembered lies in FILE.<tenant>',
    )
    .option('--state-file <file>', 'what is remembered (default: beside the credentials)')
    .option(
      '--log <url>',
      "the published log (default: the credentials', else the deployment's). With a token or certificate its entry bundles are read as well: instead of the broker where there are no credentials, and for what the broker keeps no more",
    )
    .option('--once', 'end when everything that is there now is verified')
    .option(...maxDelay)
    .option('--json', 'print one JSON object per line');
  addDeploymentOptions(addKeyOptions(follow), 'audit')
    .addHelpText('after', EXIT_CODES)
    .action(
      session.command(async (flags: FollowFlags) => {
        const { followLogs } = await import('./follow.js');
        return followLogs(flags, terminal, session.untilStopped());
      }),
    );

  const receipt = audit
    .command('receipt')
    .summary('fetch a receipt')
    .description(
      'Fetches the proof that an entry is in the log (.tlog-proof). Anybody may; no token is sent.',
    )
    .option('--index <number>', 'index of the entry')
    .option('--id <uuid>', 'id of the event')
    .option('--leaf <hex>', 'leaf hash of the entry')
    .option('--promise <file>', 'a promise, or an answer that holds one')
    .option('--witnesses <number>', 'cosignatures that the checkpoint must carry')
    .option('--tenant <name>', 'whose log (default: that of the deployment)')
    .option('--out <file>', 'where to write it (default: standard output)');
  addDeploymentOptions(receipt, 'audit').action(
    session.command(async (flags: ReceiptFlags) => {
      const { fetchReceipt } = await import('./receipts.js');
      return fetchReceipt(flags, terminal);
    }),
  );

  const check = audit
    .command('check-receipt')
    .argument('<file>', 'the receipt, or - for standard input')
    .summary('check a receipt offline')
    .description(
      "Checks with the log's public key alone that an entry is in the log, and where it was promised.",
    )
    .option('--promise <file>', 'a promise, or an answer that holds one')
    .option('--leaf <hex>', 'leaf hash of the entry')
    .option('--entry <file>', 'the entry itself: the signed event in canonical form')
    .option(
      '--succession <file>',
      "a change of the log's key since the key that is believed, as GET /v1/log/keys shows it; several times",
      several,
    )
    .option('--json', 'print one JSON object')
    .option('--state <folder>', 'state folder with trust.json (SIEGEL_STATE)');
  addKeyOptions(check).action(
    session.command(async (file: string, flags: CheckReceiptFlags) => {
      const { checkReceiptFile } = await import('./receipts.js');
      return checkReceiptFile(file, flags, terminal);
    }),
  );

  audit
    .command('witness')
    .summary('run a witness')
    .description(
      'Cosigns the checkpoints of logs, each only if it extends the one before (C2SP tlog-witness). Its memory is what ' +
        'makes a fork impossible to hide: keep folder and key where the operator of the log has no hand.',
    )
    .requiredOption('--name <name>', 'name of its key, e.g. witness.example.org/1')
    .requiredOption('--logs <file>', "the logs' verifier keys, one per line")
    .requiredOption('--folder <folder>', 'its memory and key; made at first start')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port; 0 for any free one', whole(65_535), 0)
    .option('--json', 'print address and key as one JSON object')
    .action(
      session.command(async (flags: WitnessFlags) => {
        const { runWitness } = await import('./witness.js');
        return runWitness(flags, terminal, session.untilStopped());
      }),
    );

  audit
    .command('rebuild')
    .summary('make the search index anew')
    .description(
      'Makes the index anew from the log; if the store of the log is lost, that as well from the tiles. Works where ' +
        '"siegel up" keeps its state, while nothing runs.',
    )
    .option(
      '--env <NAME=VALUE>',
      'a variable that the log service was started with (as of "siegel up"); may be given several times',
      serviceVariable,
    )
    .option('--state <folder>', 'state folder (SIEGEL_STATE; default: .siegel of the checkout)')
    .option('--json', 'print one JSON object')
    .action(
      session.command(async (flags: RebuildFlags) => {
        const { rebuildIndex } = await import('./rebuild.js');
        return rebuildIndex(flags, terminal);
      }),
    );
}
