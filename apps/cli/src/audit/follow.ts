import { LogWatch, type WatchState } from '#auditor';
import { TransparencyError } from '#transparency';
import { jetstream } from '@nats-io/jetstream';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { connectBroker, readCredentials } from '../auditor/credentials.js';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';
import { type KeyOptions, keysOf, readTrust } from './auditor-keys.js';
import { Following } from './following.js';
import { openDeployedLog, openNamedLog } from './log-places.js';
import type { PublishedLog } from './published-log.js';

export interface FollowFlags extends KeyOptions, DeploymentOptions {
  readonly state?: string;
  readonly creds?: readonly string[];
  readonly stateFile?: string;
  readonly log?: string;
  readonly maxDelay: number;
  readonly once?: true;
  readonly json?: true;
}

/** One log that is followed, and what it is read from. */
interface Followed {
  origin: string;
  following: Following;
  close(): Promise<void>;
}

/** `siegel audit follow`: verifies live logs until Ctrl-C, or until the first fraud in one of them, whose kind is the exit code. */
export async function followLogs(
  flags: FollowFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const creds = flags.creds ?? [];
  if (
    creds.length > 1 &&
    (flags.stateFile !== undefined || flags.tenant !== undefined || flags.log !== undefined)
  )
    throw CliError.of(
      'USAGE',
      'With several credentials --state-file, --tenant and --log would be about which one?',
    );
  if (creds.length === 0 && flags.stateFile === undefined)
    throw CliError.of(
      'USAGE',
      'Name credentials with --creds, or, to follow by an access token, a --state-file.',
    );
  const followed: Followed[] = [];
  const stopping = new AbortController();
  const any = AbortSignal.any([signal, stopping.signal]);
  try {
    for (const file of creds) followed.push(await byCredentials(file, flags, terminal));
    if (creds.length === 0) followed.push(await byToken(flags, terminal));
    const codes = await Promise.all(
      followed.map(async ({ following }) => {
        try {
          const code = await following.run(any);
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
    return {
      origin: trust.origin,
      following: new Following(trust.origin, sources, watch, stateFile, flags, terminal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Everything from the log itself, by a credential with the role auditor. */
async function byToken(flags: FollowFlags, terminal: Terminal): Promise<Followed> {
  const trust = keysOf(await readTrust(flags, terminal), flags);
  const tenant = trust.origin.split('/').at(-1)!;
  const files =
    flags.log === undefined
      ? await openDeployedLog(tenant, flags, terminal)
      : await openNamedLog(flags.log, flags, terminal);
  const stateFile = resolve(terminal.cwd, flags.stateFile!);
  const watch = openWatch(stateFile, files, trust, flags.maxDelay * 1_000);
  const sources = { events: undefined, files, bundles: true };
  return {
    origin: trust.origin,
    following: new Following(trust.origin, sources, watch, stateFile, flags, terminal),
    close: () => files.close(),
  };
}

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
