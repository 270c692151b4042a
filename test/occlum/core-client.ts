import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClientIdentity } from '../ra-tls/dialect-identities.js';
import { pemOf } from '../ra-tls/mutual-tls.js';

const PYTHON = '/usr/bin/python3';
const PROGRAM = join(process.cwd(), 'test/occlum/core-client.py');

/** gRPC's C core, which is in Occlum's clients, by way of Python: where the machine has it (Debian: python3-grpcio). */
export class CoreClient {
  static find(): CoreClient | undefined {
    return spawnSync(PYTHON, ['-c', 'import grpc']).status === 0 ? new CoreClient() : undefined;
  }

  /** One call on a connection of its own, by TLS where there is an identity. @throws Error with the status */
  async call(port: number, path: string, request: Buffer, identity?: ClientIdentity): Promise<Buffer> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-grpc-'));
    const file = (name: string, content: string | Buffer = ''): string => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    try {
      const reply = file('reply');
      const own = identity ? pemOf(identity) : undefined;
      const tls = own ? [file('certificate', own.cert), file('key', own.key)] : [];
      const args = [PROGRAM, String(port), path, file('request', request), reply, ...tls];
      await promisify(execFile)(PYTHON, args, { timeout: 20_000 });
      return readFileSync(reply);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
