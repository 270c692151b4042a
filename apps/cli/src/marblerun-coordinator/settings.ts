import { join, resolve } from 'node:path';

/** What `EDG_COORDINATOR_…` says; source: reference marblerun.md §1.1. */
export interface CoordinatorSettings {
  readonly meshPort: number;
  readonly clientPort: number;
  /** Address of both ports. */
  readonly host: string;
  /** DNS names and IP addresses of the certificates. */
  readonly names: readonly string[];
  readonly sealDir: string;
  readonly startupManifest: string | undefined;
}

/** A variable that cannot be used. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @throws SettingsError that names the variable */
export function readCoordinatorSettings(env: NodeJS.ProcessEnv, cwd: string): CoordinatorSettings {
  const mesh = address(env, 'EDG_COORDINATOR_MESH_ADDR', ':2001');
  const client = address(env, 'EDG_COORDINATOR_CLIENT_ADDR', ':4433');
  if (mesh.host !== client.host)
    throw new SettingsError(
      `EDG_COORDINATOR_MESH_ADDR and EDG_COORDINATOR_CLIENT_ADDR name different hosts ("${mesh.host}", "${client.host}"); give both the same`,
    );
  const names = (env['EDG_COORDINATOR_DNS_NAMES'] || 'localhost')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const manifest = env['EDG_STARTUP_MANIFEST'];
  return {
    meshPort: mesh.port,
    clientPort: client.port,
    host: mesh.host,
    names,
    sealDir: resolve(cwd, env['EDG_COORDINATOR_SEAL_DIR'] || join(cwd, 'marblerun-coordinator-data')),
    startupManifest: manifest ? resolve(cwd, manifest) : undefined,
  };
}

/** `host:port` as Go's net package reads it; without a host, all addresses. */
function address(env: NodeJS.ProcessEnv, name: string, fallback: string): { host: string; port: number } {
  const text = env[name] || fallback;
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new SettingsError(`${name}="${text}" is not HOST:PORT`);
  const host = bracketed ?? plain ?? '';
  return { host: host === '' ? '0.0.0.0' : host === 'localhost' ? '127.0.0.1' : host, port: Number(port) };
}
