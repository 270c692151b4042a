import { execFile } from 'node:child_process';
import type { AttestationDevice } from './attestation-device.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LibraryRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * A program without Gramine around it: in a mount namespace of its own /dev has the emulated device, and Gramine's library is loaded
 * into `printenv`, where its constructor runs before the program does.
 */
const IN_NAMESPACE = `
mount -t tmpfs tmpfs "$DEV"
mkdir "$DEV/attestation"
for node in null zero random urandom; do touch "$DEV/$node"; mount --bind "/dev/$node" "$DEV/$node"; done
mount --bind "$DEVICE" "$DEV/attestation"
mount --rbind "$DEV" /dev
LD_PRELOAD="$LIBRARY" exec printenv SECRET_PROVISION_SECRET_STRING
`;

/** Runs the unmodified libsecret_prov_attest.so in constructor mode against a server. */
export function runLibrary(
  library: string,
  device: AttestationDevice,
  options: { readonly server: string; readonly caFile: string; readonly keyName?: string },
): Promise<LibraryRun> {
  const dev = mkdtempSync(join(tmpdir(), 'siegel-dev-'));
  const env = {
    PATH: process.env['PATH'],
    DEV: dev,
    DEVICE: device.folder,
    LIBRARY: library,
    SECRET_PROVISION_CONSTRUCTOR: '1',
    SECRET_PROVISION_SERVERS: options.server,
    SECRET_PROVISION_CA_CHAIN_PATH: options.caFile,
    ...(options.keyName === undefined ? {} : { SECRET_PROVISION_SET_KEY: options.keyName }),
  };
  return new Promise((resolve) => {
    execFile(
      'unshare',
      ['-Urm', '/bin/sh', '-ec', IN_NAMESPACE],
      { env, timeout: 60_000 },
      (error, out, err) => {
        rmSync(dev, { recursive: true, force: true });
        resolve({ code: error ? Number(error.code ?? -1) : 0, out, err });
      },
    );
  });
}
