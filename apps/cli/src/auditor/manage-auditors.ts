import { STREAMS, TrustFile } from '#contracts';
import { AckPolicy, DeliverPolicy, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { createUser } from '@nats-io/nkeys';
import { nanos } from '@nats-io/transport-node';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';
import {
  addAuditor,
  AUDITOR_PATTERN,
  auditorConsumer,
  auditorInbox,
  type AuditorRecord,
  auditorSubject,
  readAuditors,
  removeAuditor,
} from '../up/auditors.js';
import { Layout } from '../up/layout.js';
import { inboxPrefix } from '../up/nats-config.js';
import { reloadNatsUsers } from '../up/nats-files.js';
import type { AuditorOptions } from './command.js';
import { type AuditorCredentials, connectBroker } from './credentials.js';

/** Delivered events that an auditor may hold until a checkpoint covers them. */
const MAX_UNACKNOWLEDGED = 65_536;
const ACK_WAIT_MS = 120_000;
const RELOAD_MS = 10_000;

/** A deployment of `siegel up` on this machine: its folder has the broker's configuration and the operator's seed. */
async function local(options: AuditorOptions, terminal: Terminal) {
  const deployment = await Deployment.open(options, terminal);
  const { found } = deployment;
  if (!found?.content.nats)
    throw CliError.of('STATE_NOT_FOUND', 'Auditors are made where "siegel up" keeps its state folder.');
  return {
    deployment,
    content: found.content,
    url: found.content.nats.url,
    layout: new Layout(found.folder),
  };
}

/** `siegel auditor create`: a user of the broker that can only read, its durable consumer, and the file to hand over. */
export async function createAuditor(
  name: string,
  options: AuditorOptions,
  terminal: Terminal,
): Promise<number> {
  if (!AUDITOR_PATTERN.test(name))
    throw CliError.of('USAGE', `"${name}" is no name: up to 32 lower-case letters, digits and hyphens.`);
  const { deployment, content, url, layout } = await local(options, terminal);
  const tenant = deployment.tenant(options.tenant);
  const trust = TrustFile.parse(JSON.parse(readFileSync(layout.trust, 'utf8')));
  if (!trust.logs.some(({ origin }) => origin.split('/').at(-1) === tenant))
    throw CliError.of('USAGE', `The tenant "${tenant}" has no log here.`);
  const out = resolve(terminal.cwd, options.out ?? `${name}.creds.json`);
  if (existsSync(out)) throw CliError.of('USAGE', `"${out}" exists; name another file with --out.`);
  const user = createUser();
  const record: AuditorRecord = {
    siegelAuditor: 1,
    name,
    tenant,
    publicKey: user.getPublicKey(),
    createdAt: new Date().toISOString(),
  };
  const credentials: AuditorCredentials = {
    siegelCredentials: 1,
    name,
    tenant,
    nats: {
      url,
      seed: new TextDecoder().decode(user.getSeed()),
      inboxPrefix: auditorInbox(name),
      stream: STREAMS.events,
      consumer: auditorConsumer(name),
    },
    audit: { url: deployment.url('audit') },
    ...(content.witness === undefined ? {} : { witness: content.witness }),
    trust,
  };
  if (!addAuditor(layout, record)) throw CliError.of('AUDITOR_EXISTS', `There is an auditor "${name}".`);
  try {
    if (!reloadNatsUsers(layout))
      throw CliError.of('BROKER_UNUSABLE', `No nats-server runs on "${layout.root}".`);
    await asOperator(layout, url, (manager) =>
      manager.consumers.add(STREAMS.events, {
        durable_name: auditorConsumer(name),
        description: `auditor ${name} of ${tenant}`,
        filter_subject: auditorSubject(tenant),
        deliver_policy: DeliverPolicy.All,
        // One acknowledgement says that everything up to it is verified.
        ack_policy: AckPolicy.All,
        ack_wait: nanos(ACK_WAIT_MS),
        max_ack_pending: MAX_UNACKNOWLEDGED,
      }),
    );
    await usable(credentials);
    writeFileSync(out, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    removeAuditor(layout, name);
    reloadNatsUsers(layout);
    throw error;
  }
  terminal.out(
    options.json
      ? `${JSON.stringify({ name, tenant, file: out })}\n`
      : `Auditor ${name} of ${tenant} can read the events. Hand over ${out}: it is as secret as a password.\n` +
          `They run: siegel audit follow --creds ${out}\n`,
  );
  return 0;
}

export async function listAuditors(options: AuditorOptions, terminal: Terminal): Promise<number> {
  const { layout } = await local(options, terminal);
  for (const { name, tenant, createdAt, publicKey } of readAuditors(layout)) {
    terminal.out(
      options.json
        ? `${JSON.stringify({ name, tenant, createdAt, publicKey })}\n`
        : `${name.padEnd(24)} ${tenant.padEnd(16)} ${createdAt}  ${publicKey}\n`,
    );
  }
  return 0;
}

/** `siegel auditor remove`: the broker disconnects the user at once. */
export async function dropAuditor(
  name: string,
  options: AuditorOptions,
  terminal: Terminal,
): Promise<number> {
  const { url, layout } = await local(options, terminal);
  if (!AUDITOR_PATTERN.test(name) || !removeAuditor(layout, name))
    throw CliError.of('AUDITOR_UNKNOWN', `There is no auditor "${name}".`);
  if (reloadNatsUsers(layout))
    await asOperator(layout, url, (manager) =>
      manager.consumers.delete(STREAMS.events, auditorConsumer(name)),
    );
  terminal.out(options.json ? `${JSON.stringify({ name, removed: true })}\n` : `Removed auditor ${name}.\n`);
  return 0;
}

async function asOperator(
  layout: Layout,
  url: string,
  act: (manager: JetStreamManager) => Promise<unknown>,
): Promise<void> {
  const seed = readFileSync(layout.seed('operator'), 'utf8').trim();
  const broker = await connectBroker({ url, seed, inboxPrefix: inboxPrefix('operator') });
  try {
    await act(await jetstreamManager(broker, { checkAPI: false }));
  } catch (error) {
    throw CliError.of('BROKER_UNUSABLE', `The broker refused: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    await broker.close();
  }
}

/** Until nats-server has read its new configuration. */
async function usable({ nats }: AuditorCredentials): Promise<void> {
  const until = Date.now() + RELOAD_MS;
  for (;;) {
    try {
      await (await connectBroker(nats)).close();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await delay(50);
    }
  }
}
