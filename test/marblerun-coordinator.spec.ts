import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, generateKeyPairSync, privateDecrypt, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ROOT } from './harness/checkout.js';
import { eventually } from './harness/index.js';
import { childrenOf } from './harness/processes.js';
import { CoordinatorClient } from './marblerun/coordinator-client.js';
import { freePorts } from './marblerun/free-ports.js';
import { startMarble } from './marblerun/reference-marble.js';

jest.setTimeout(180_000);

const recoveryKey = generateKeyPairSync('rsa', { modulusLength: 3072 });
const MANIFEST = {
  Packages: { app: { Debug: true, SignerID: 'ab'.repeat(32), ProductID: 1, SecurityVersion: 1 } },
  Marbles: { app: { Package: 'app', Parameters: { Env: { KEY: '{{ hex .Secrets.key }}' } } } },
  Secrets: { key: { Type: 'symmetric-key', Size: 128 } },
  RecoveryKeys: { owner: recoveryKey.publicKey.export({ type: 'spki', format: 'pem' }) },
};

/** Started exactly as upstream's integration suite starts its coordinator: by a link, with these variables and no others. */
describe('bin/marblerun-coordinator', () => {
  let folder: string;
  let meshPort: number;
  let client: CoordinatorClient;
  let program: ChildProcess | undefined;
  let recoverySecret: string;
  let identity: { root: string; key: string };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-coordinator-'));
    symlinkSync(join(ROOT, 'bin', 'marblerun-coordinator'), join(folder, 'coordinator-noenclave'));
    const [mesh, clients] = (await freePorts(2)) as [number, number];
    meshPort = mesh;
    client = new CoordinatorClient(clients);
  });
  const start = async (): Promise<number> => {
    const log = openSync(join(folder, 'log'), 'a');
    program = spawn(join(folder, 'coordinator-noenclave'), [], {
      cwd: folder,
      env: {
        EDG_COORDINATOR_MESH_ADDR: `localhost:${meshPort}`,
        EDG_COORDINATOR_CLIENT_ADDR: `localhost:${client.port}`,
        EDG_COORDINATOR_DNS_NAMES: 'localhost',
        EDG_COORDINATOR_SEAL_DIR: join(folder, 'seal'),
        EDG_DEBUG_LOGGING: '1',
        OE_SIMULATION: '0',
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return eventually('a coordinator that answers', async () => {
      if (program!.exitCode !== null) throw new Error(readFileSync(join(folder, 'log'), 'utf8'));
      const { status, body } = await client.call('GET', '/api/v2/status');
      return status === 200 && (body.data as { code: number }).code;
    });
  };
  const kill = async (): Promise<void> => {
    const children = childrenOf(program!.pid!).map(({ pid }) => pid);
    expect(children.length).toBeGreaterThanOrEqual(4);
    program!.kill('SIGKILL');
    await eventually('the end of everything that it had started', () =>
      children.every((pid) => !existsSync(`/proc/${pid}`)),
    );
    program = undefined;
  };
  const seen = async (): Promise<{ root: string; key: string }> => {
    const { env } = await startMarble({ port: meshPort, type: 'app' });
    const root = new X509Certificate(env.get('MARBLE_PREDEFINED_COORDINATOR_ROOT_CA')!).fingerprint256;
    return { root, key: env.get('KEY')!.toString() };
  };
  afterEach(() => {
    if (program && program.exitCode !== null) throw new Error(readFileSync(join(folder, 'log'), 'utf8'));
  });
  afterAll(() => {
    // What it has started ends with it.
    program?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  it('takes the first manifest and activates a marble without a quote', async () => {
    expect(await start()).toBe(2);
    const { RecoverySecrets } = (await client.setManifest(MANIFEST)) as {
      RecoverySecrets: { owner: string };
    };
    recoverySecret = RecoverySecrets.owner;
    identity = await seen();
    expect(existsSync(join(folder, 'seal', 'sealed_key'))).toBe(true);
  });

  it('is the same again after SIGKILL, at once and on the same ports', async () => {
    await kill();
    expect(await start()).toBe(3);
    expect(await seen()).toEqual(identity);
  });

  it('without sealed_key waits for its recovery, and is the same after it', async () => {
    await kill();
    rmSync(join(folder, 'seal', 'sealed_key'));
    expect(await start()).toBe(1);
    await expect(seen()).rejects.toMatchObject({ status: 9 });
    const secret = privateDecrypt(
      { key: recoveryKey.privateKey, oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING },
      Buffer.from(recoverySecret, 'base64'),
    );
    await client.done('POST', '/api/v2/recover', {
      recoverySecret: secret.toString('base64'),
      recoverySecretSignature: sign('sha256', secret, recoveryKey.privateKey).toString('base64'),
    });
    expect(await client.done('GET', '/api/v2/status')).toMatchObject({ code: 3 });
    expect(await seen()).toEqual(identity);
  });

  /** A folder with upstream's `integration.test`, `marble-test-noenclave` and `marble-test-config.json`, which are not ours to bring. */
  const suite = process.env['MARBLERUN_INTEGRATION_DIR'];
  (suite === undefined ? it.skip : it)(
    "passes upstream's own integration suite",
    async () => {
      await kill();
      const build = join(folder, 'build');
      mkdirSync(build);
      for (const name of ['marble-test-noenclave', 'marble-test-config.json'])
        symlinkSync(resolve(suite!, name), join(build, name));
      symlinkSync(join(ROOT, 'bin', 'marblerun-coordinator'), join(build, 'coordinator-noenclave'));
      const run = spawn(resolve(suite!, 'integration.test'), ['-test.v', '-b', build, '-noenclave'], {
        cwd: build,
      });
      let said = '';
      run.stdout.on('data', (text: Buffer) => (said += text.toString()));
      run.stderr.on('data', (text: Buffer) => (said += text.toString()));
      const [code] = (await once(run, 'close')) as [number | null];
      const failed = said.split('\n').filter((line) => line.includes('--- FAIL'));
      expect({ code, failed }).toEqual({ code: 0, failed: [] });
    },
    900_000,
  );
});
