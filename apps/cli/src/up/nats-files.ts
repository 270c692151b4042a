import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { auditorUser, readAuditors } from './auditors.js';
import { natsKeys } from './key-material.js';
import type { Layout } from './layout.js';
import { fixedUsers, natsConfig, type NatsSettings } from './nats-config.js';

const Settings = z.object({ port: z.number().int(), version: z.array(z.number().int()) });

/** Writes the configuration for this start, and what a later change of it needs. */
export function writeNatsConfig(layout: Layout, settings: NatsSettings): void {
  replace(layout.natsSettings, `${JSON.stringify({ port: settings.port, version: settings.version })}\n`);
  const users = [...fixedUsers(natsKeys(layout)), ...readAuditors(layout).map(auditorUser)];
  replace(layout.natsConfig, natsConfig(layout, settings, users));
}

/**
 * Writes the configuration anew, with the auditors that there are now, and has a running nats-server read it (SIGHUP): users
 * that are gone are disconnected, the others notice nothing. False if no nats-server runs on it.
 * @throws Error if `siegel up` has never run on this folder
 */
export function reloadNatsUsers(layout: Layout): boolean {
  writeNatsConfig(layout, Settings.parse(JSON.parse(readFileSync(layout.natsSettings, 'utf8'))));
  const pid = Number(read(layout.natsPid));
  // Process numbers are reused: it is ours only if it runs on our configuration.
  if (!Number.isInteger(pid) || pid <= 1 || !read(`/proc/${pid}/cmdline`).includes(layout.natsConfig))
    return false;
  process.kill(pid, 'SIGHUP');
  return true;
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
