import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RaTlsIdentity } from './ra-tls-identity.js';

const SOURCE = join(process.cwd(), 'test/gramine/mbedtls-client.c');

export interface MbedTlsRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * A client on Mbed TLS, compiled where the machine has a C compiler and the library (Debian: libmbedtls-dev; elsewhere name it with
 * MBEDTLS_PREFIX). Undefined where it has not.
 */
export class MbedTlsClient {
  private constructor(private readonly folder: string) {}

  static compile(): MbedTlsClient | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-mbedtls-'));
    const prefix = process.env['MBEDTLS_PREFIX'];
    const paths =
      prefix === undefined ? [] : [`-I${prefix}/include`, `-L${prefix}/lib`, `-Wl,-rpath,${prefix}/lib`];
    const libraries = ['-lmbedtls', '-lmbedx509', '-lmbedcrypto'];
    const built = spawnSync('cc', ['-O1', SOURCE, '-o', join(folder, 'client'), ...paths, ...libraries]);
    if (built.status === 0) return new MbedTlsClient(folder);
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  /** The CA as a file, which `siegel gramine ca` writes. */
  run(identity: RaTlsIdentity, to: { port: number; host: string; caFile: string }): Promise<MbedTlsRun> {
    const [certificate, key] = [join(this.folder, 'own.der'), join(this.folder, 'own.key')];
    writeFileSync(certificate, identity.certificate);
    writeFileSync(key, identity.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const args = [String(to.port), to.host, to.caFile, certificate, key];
    return new Promise((resolve) => {
      execFile(join(this.folder, 'client'), args, { timeout: 30_000 }, (error, out, err) =>
        resolve({ code: error ? Number(error.code ?? -1) : 0, out, err }),
      );
    });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
