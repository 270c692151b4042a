import { STREAMS, SUBJECTS, TENANT_PATTERN } from '#contracts';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Layout } from './layout.js';
import type { NatsUserEntry } from './nats-config.js';

/** Part of NATS subjects and of file names. */
export const AUDITOR_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** An auditor as nats-server must know it; the seed is the auditor's alone. */
export const AuditorRecord = z.strictObject({
  siegelAuditor: z.literal(1),
  name: z.string().regex(AUDITOR_PATTERN),
  tenant: z.string().regex(TENANT_PATTERN),
  publicKey: z.string().regex(/^U[A-Z2-7]{55}$/),
  createdAt: z.iso.datetime(),
});
export type AuditorRecord = z.infer<typeof AuditorRecord>;

export const auditorConsumer = (name: string): string => `auditor_${name}`;
export const auditorInbox = (name: string): string => `_INBOX_auditor_${name}`;
/** The events of one tenant. */
export const auditorSubject = (tenant: string): string => `${SUBJECTS.events}.${tenant}.>`;

/** Reads its own consumer and the events of its tenant; publishes nothing but its pull requests and acknowledgements. */
export function auditorUser({ name, tenant, publicKey }: AuditorRecord): NatsUserEntry {
  const own = `${STREAMS.events}.${auditorConsumer(name)}`;
  return {
    publicKey,
    permissions: {
      publish: [`$JS.API.CONSUMER.MSG.NEXT.${own}`, `$JS.API.CONSUMER.INFO.${own}`, `$JS.ACK.${own}.>`],
      subscribe: [auditorSubject(tenant), `${auditorInbox(name)}.>`],
    },
  };
}

const fileOf = (layout: Layout, name: string): string => join(layout.auditors, `${name}.json`);

/** @throws Error, ZodError for a file that is not a record */
export function readAuditors(layout: Layout): AuditorRecord[] {
  if (!existsSync(layout.auditors)) return [];
  return readdirSync(layout.auditors)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => AuditorRecord.parse(JSON.parse(readFileSync(join(layout.auditors, file), 'utf8'))));
}

/** False if the name is taken. */
export function addAuditor(layout: Layout, record: AuditorRecord): boolean {
  mkdirSync(layout.auditors, { recursive: true, mode: 0o700 });
  const file = fileOf(layout, record.name);
  if (existsSync(file)) return false;
  // Whole or not at all: a half-written record would keep nats-server from starting.
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return true;
}

export function removeAuditor(layout: Layout, name: string): boolean {
  const file = fileOf(layout, name);
  if (!existsSync(file)) return false;
  rmSync(file);
  return true;
}
