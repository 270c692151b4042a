import { LogWatch, type WatchState } from '#auditor';
import type { TrustFile } from '#contracts';
import { TransparencyError } from '#transparency';
import { jetstream } from '@nats-io/jetstream';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { connectBroker, readCredentials } from '../auditor/credentials.js';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';
import { type KeyOptions, keysOf, readTrust } from './auditor-keys.js';
import { FollowedNumbers } from './followed-numbers.js';
import { Following, type Sources } from './following.js';
import { openDeployedLog, openNamedLog } from './log-places.js';
import type { PublishedLog } from './published-log.js';

/** Times that all logs are read once more together behind `--once`: one to begin a round and one to end it. */
const LAST_LOOKS = 2;

export interface FollowFlags extends KeyOptions, DeploymentOptions {
  readonly state?: string;
  readonly creds?: readonly string[];
  readonly allTenants?: true;
  readonly stateFile?: string;
  readonly log?: string;
  readonly maxDelay: number;
  readonly once?: true;
  readonly json?: true;
}

/** One log that is followed, what it is read from and what is remembered of it. */
interface Followed {
  origin: string;
  sources: Sources;
  watch: LogWatch;
  stateFile: string;
  /** Every log of the same deployment that the trust file names. */
  named: string[];
  close(): Promise<void>;
}

/** `siegel audit follow`: verifies live logs until Ctrl-C, or until the first fraud in one of them, whose kind is the exit code. */
export async function followLogs(
  flags: FollowFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  refuseContradictions(flags);
  const creds = flags.creds ?? [];
  const followed: Followed[] = [];
  try {
    for (const file of creds) followed.push(await byCredentials(file, flags, terminal));
    if (creds.length === 0)
      for (const each of await tenantsByToken(flags, terminal)) followed.push(await byToken(each, terminal));
    return await followTogether(followed, flags, terminal, signal);
  } catch (error) {
    if (error instanceof CliError || error instanceof TransparencyError) throw error;
    throw CliError.of(
      'BROKER_UNUSABLE',
      `The broker does not give the events: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  } finally {
    await Promise.all(followed.map((each) => each.close()));
  }
}

async function followTogether(
  followed: readonly Followed[],
  flags: FollowFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const stopping = new AbortController();
  const any = AbortSignal.any([signal, stopping.signal]);
  const numbers = numbersOver(followed, flags, terminal);
  const followings = followed.map(
    ({ origin, sources, watch, stateFile }) =>
      new Following(origin, sources, watch, stateFile, flags, terminal, numbers),
  );
  const each = async (work: (following: Following) => Promise<number>): Promise<number> => {
    const codes = await Promise.all(
      followings.map(async (following) => {
        try {
          const code = await work(following);
          // A fraud in one log ends all: what it means for the others is for a person to say.
          if (code !== 0) stopping.abort();
          return code;
        } catch (error) {
          stopping.abort();
          throw error;
        }
      }),
    );
    return codes.find((code) => code !== 0) ?? 0;
  };
  let code = await each((following) => following.run(any));
  // One log may have been read to its end long before another: the numbers over all of them need them read at one time.
  for (let i = 0; i < LAST_LOOKS && flags.once && numbers && code === 0 && !any.aborted; i++)
    code = await each((following) => following.lastLook());
  return code;
}

/** @throws CliError USAGE */
function refuseContradictions(flags: FollowFlags): void {
  const { creds = [], stateFile, tenant, log, logKey, allTenants } = flags;
  if (creds.length > 1 && (stateFile !== undefined || tenant !== undefined || log !== undefined))
    throw CliError.of(
      'USAGE',
      'With several credentials --state-file, --tenant and --log would be about which one?',
    );
  if (allTenants && (creds.length > 0 || [tenant, log, logKey].some((given) => given !== undefined)))
    throw CliError.of(
      'USAGE',
      '--all-tenants is by access token; it does not go with --creds, --tenant, --log and --log-key.',
    );
  if (creds.length === 0 && stateFile === undefined)
    throw CliError.of(
      'USAGE',
      'Name credentials with --creds, or, to follow by an access token, a --state-file.',
    );
}

/** The numbers over all followed logs; undefined where a log is the only one of its emitters, and judged by itself. */
function numbersOver(
  followed: readonly Followed[],
  flags: FollowFlags,
  terminal: Terminal,
): FollowedNumbers | undefined {
  const sorted = [...followed].sort((a, b) => (a.origin < b.origin ? -1 : 1));
  const origins = [...new Set(sorted.map(({ origin }) => origin))];
  if (origins.length < followed.length) throw CliError.of('USAGE', 'One of the logs is named twice.');
  const others = new Set(
    followed.flatMap(({ named }) => named).filter((origin) => !origins.includes(origin)),
  );
  if (origins.length === 1 && others.size === 0) return undefined;
  const beside = flags.allTenants ? resolve(terminal.cwd, flags.stateFile!) : sorted[0]!.stateFile;
  return FollowedNumbers.open(origins, [...others], `${beside}.numbers`, (message) =>
    terminal.out(flags.json ? `${JSON.stringify({ notice: { message } })}\n` : `note: ${message}\n`),
  );
}

/** Events from the broker, tiles from the log; entry bundles as well where a credential for them was named. */
async function byCredentials(file: string, flags: FollowFlags, terminal: Terminal): Promise<Followed> {
  const credentials = await readCredentials(file, terminal);
  const trustFile = flags.trust === undefined ? credentials.trust : await readTrust(flags, terminal);
  const trust = keysOf(trustFile, { ...flags, tenant: flags.tenant ?? credentials.tenant });
  const stateFile = resolve(terminal.cwd, flags.stateFile ?? `${file}.state`);
  const base = flags.log ?? `${credentials.audit.url}/v1/logs/${credentials.tenant}`;
  const files = await openNamedLog(base, flags, terminal);
  const watch = openWatch(stateFile, files, trust, flags.maxDelay * 1_000);
  const broker = await connectBroker(credentials.nats);
  const { stream, consumer } = credentials.nats;
  // A user who can only read cannot ask for the account's limits, which the client otherwise does first.
  const js = jetstream(broker, { checkAPI: false } as never);
  const close = async (): Promise<void> => {
    await files.close();
    await broker.close();
  };
  try {
    const events = await js.consumers.get(stream, consumer);
    const bundles = flags.auditTokenFile !== undefined || flags.auditCertFile !== undefined;
    const sources = { events, files, bundles };
    return { origin: trust.origin, sources, watch, stateFile, named: originsIn(trustFile), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is to be followed by token: the one tenant, or each of the trust file with a memory of its own. */
async function tenantsByToken(flags: FollowFlags, terminal: Terminal): Promise<FollowFlags[]> {
  if (!flags.allTenants) return [flags];
  const tenants = originsIn(await readTrust(flags, terminal)).map(tenantIn);
  return tenants.map((tenant) => ({ ...flags, tenant, stateFile: `${flags.stateFile}.${tenant}` }));
}

/** Everything from the log itself, by a credential with the role auditor. */
async function byToken(flags: FollowFlags, terminal: Terminal): Promise<Followed> {
  const trustFile = await readTrust(flags, terminal);
  const trust = keysOf(trustFile, flags);
  const files =
    flags.log === undefined
      ? await openDeployedLog(tenantIn(trust.origin), flags, terminal)
      : await openNamedLog(flags.log, flags, terminal);
  const stateFile = resolve(terminal.cwd, flags.stateFile!);
  return {
    origin: trust.origin,
    sources: { events: undefined, files, bundles: true },
    watch: openWatch(stateFile, files, trust, flags.maxDelay * 1_000),
    stateFile,
    named: originsIn(trustFile),
    close: () => files.close(),
  };
}

const originsIn = ({ logs }: TrustFile): string[] => [...new Set(logs.map(({ origin }) => origin))];
const tenantIn = (origin: string): string => origin.split('/').at(-1)!;

function openWatch(
  stateFile: string,
  files: PublishedLog,
  trust: ConstructorParameters<typeof LogWatch>[1],
  maxDelayMs: number,
): LogWatch {
  if (!existsSync(stateFile)) return new LogWatch(files, trust, maxDelayMs);
  try {
    return new LogWatch(files, trust, maxDelayMs, JSON.parse(readFileSync(stateFile, 'utf8')) as WatchState);
  } catch (error) {
    throw CliError.of(
      'EVIDENCE_INVALID',
      `"${stateFile}" is not what was remembered of this log: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}
