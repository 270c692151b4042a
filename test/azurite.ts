import { ContainerClient } from '@azure/storage-blob';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STARTED = /successfully listens on (http:\/\/127\.0\.0\.1:\d+)/;
/** The account that every Azurite has (its documentation, "Default storage account"). */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Azurite's blob service, from npm, on the loopback and a folder of its own. */
export class Azurite {
  private constructor(
    private readonly child: ChildProcess,
    readonly folder: string,
    readonly connection: string,
  ) {}

  static async start(): Promise<Azurite> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-azurite-'));
    const program = createRequire(join(process.cwd(), 'package.json')).resolve(
      'azurite/dist/src/blob/main.js',
    );
    const options = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--location', folder];
    const child = spawn(
      process.execPath,
      [program, ...options, '--skipApiVersionCheck', '--disableTelemetry'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Azurite did not start: ${output}`)), 30_000);
      const take = (chunk: Buffer): void => {
        output += chunk.toString('utf8');
        const found = STARTED.exec(output)?.[1];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('exit', (code) => reject(new Error(`Azurite ended with ${code}: ${output}`)));
    });
    const endpoint = `BlobEndpoint=${url}/${ACCOUNT};`;
    return new Azurite(
      child,
      folder,
      `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoint}`,
    );
  }

  /** A container that is made if there is none. */
  async container(name: string): Promise<ContainerClient> {
    const client = new ContainerClient(this.connection, name);
    await client.createIfNotExists();
    return client;
  }

  /** Where it listens. */
  get url(): string {
    return /BlobEndpoint=(http:\/\/[^/]+)/.exec(this.connection)![1]!;
  }

  /** The settings file of a service that keeps its tiles in a container, which it reaches at `url`. */
  settingsFile(containerName: string, url = this.url): string {
    const name = url === this.url ? containerName : `${containerName}-${new URL(url).port}`;
    const secret = join(this.folder, `${name}.txt`);
    writeFileSync(secret, this.connection.replace(this.url, url), { mode: 0o600 });
    const file = join(this.folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ connectionStringFile: secret, containerName, prefix: 'logs' }));
    return file;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const gone = new Promise((resolve) => this.child.once('close', resolve));
      this.child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
