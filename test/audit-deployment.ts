import { type AuditEvent, STREAMS, SUBJECTS } from '#contracts';
import { signedEntry } from '#emitter';
import { NatsRequests } from '#platform';
import { createUser } from '@nats-io/nkeys';
import { type NatsConnection, connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  randomUUID,
  sign,
} from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));
export const ORIGIN = 'siegel.test/default';
const USERS = ['audit', 'emitter', 'auditor', 'operator'] as const;
/** With V8's defaults the process keeps garbage of several times its live heap; with these it stays below 300 MiB. */
const MEMORY_FLAGS = ['--max-semi-space-size=8', '--max-old-space-size=192', '--single-threaded-gc'];
type User = (typeof USERS)[number];

function findRoot(from: string): string {
  return existsSync(join(from, 'package-lock.json')) ? from : findRoot(dirname(from));
}

export interface Key {
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

type TestKey = Key & { jwk: Record<string, unknown> };

function makeKey(): TestKey {
  return keyOf(generateKeyPairSync('ed25519').privateKey);
}

function keyOf(privateKey: KeyObject): TestKey {
  const publicKey = createPublicKey(privateKey);
  const { crv, kty, x } = publicKey.export({ format: 'jwk' });
  const kid = hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url');
  return { kid, privateKey, publicKey, jwk: { crv, kty, x, kid, alg: 'EdDSA' } };
}

/** Where nats-server is, or undefined. */
export function natsServerBinary(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, 'nats-server')).find((path) => existsSync(path));
}

/** The key in the file, if there is one; else a new one, which is written there. */
function keyIn(path: string): TestKey {
  const key = existsSync(path) ? keyOf(createPrivateKey(readFileSync(path))) : makeKey();
  writeFileSync(path, key.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  return key;
}

/** A real nats-server and a real audit process on a folder of their own: for tests and benchmarks. */
export class AuditDeployment {
  readonly folder: string;
  readonly state: string;
  readonly emitterKey: TestKey;
  readonly ownKey: TestKey;
  readonly logKey: TestKey;
  readonly #seeds = new Map<User, { seed: Uint8Array; publicKey: string }>();
  readonly #connections: NatsConnection[] = [];
  #nats: ChildProcess | undefined;
  #natsPort = 0;
  #audit: ChildProcess | undefined;
  /** Base URL of the HTTP API. */
  url = '';
  /** What the process wrote to stderr, its last 64 KiB. */
  output = '';

  /** `kept` is a folder that stays, with its keys and its log, for the next deployment on it. */
  constructor(
    private readonly environment: Record<string, string> = {},
    private readonly kept?: string,
  ) {
    this.folder = kept ?? mkdtempSync(join(tmpdir(), 'siegel-audit-'));
    this.state = join(this.folder, 'state');
    mkdirSync(this.state, { mode: 0o700, recursive: true });
    this.ownKey = keyIn(join(this.folder, 'emitter.pem'));
    this.logKey = keyIn(join(this.folder, 'log.pem'));
    this.emitterKey = keyIn(join(this.folder, 'key-release.pem'));
    for (const user of USERS) {
      const key = createUser();
      this.#seeds.set(user, { seed: key.getSeed(), publicKey: key.getPublicKey() });
      writeFileSync(join(this.folder, `${user}.seed`), key.getSeed(), { mode: 0o600 });
    }
    const { jwk: verifier } = makeKey();
    const trust = {
      siegelTrust: 1,
      verifiers: [verifier],
      manifestSigners: [verifier],
      emitters: [
        { name: 'key-release', jwk: this.emitterKey.jwk },
        { name: 'audit', jwk: this.ownKey.jwk },
      ],
      logs: [ORIGIN, 'siegel.test/other'].map((origin) => ({ origin, jwk: this.logKey.jwk })),
    };
    writeFileSync(join(this.folder, 'trust.json'), JSON.stringify(trust));
  }

  get token(): string {
    return readFileSync(join(this.state, 'api.token'), 'utf8').trim();
  }

  get logPublicKey(): KeyObject {
    return createPublicKey(this.logKey.privateKey);
  }

  async start(): Promise<this> {
    await this.startNats();
    await this.startAudit();
    return this;
  }

  /** `jetStream: false` is a broker that relays requests but keeps no streams. */
  async startNats({ jetStream = true } = {}): Promise<void> {
    const binary = natsServerBinary();
    if (!binary) throw new Error('nats-server is not installed');
    const stream = STREAMS.events;
    const permissions: Record<User, { publish: string[]; subscribe: string[] }> = {
      audit: {
        publish: [SUBJECTS.auditAppend, `${SUBJECTS.events}.>`, `$JS.API.STREAM.*.${stream}`, '$JS.API.INFO'],
        subscribe: [SUBJECTS.auditAppend, SUBJECTS.auditEvidence, SUBJECTS.auditCollateral],
      },
      emitter: {
        publish: [SUBJECTS.auditAppend, SUBJECTS.auditEvidence, SUBJECTS.auditCollateral],
        subscribe: [],
      },
      auditor: {
        publish: [
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.auditor`,
          `$JS.API.CONSUMER.INFO.${stream}.auditor`,
          `$JS.ACK.${stream}.auditor.>`,
        ],
        subscribe: [`${SUBJECTS.events}.>`],
      },
      operator: { publish: ['$JS.API.>', '$JS.ACK.>'], subscribe: [`${SUBJECTS.events}.>`] },
    };
    const list = (subjects: readonly string[]) =>
      subjects.map((subject) => JSON.stringify(subject)).join(', ');
    const users = USERS.map((user) => {
      const { publish, subscribe } = permissions[user];
      return `{ nkey: ${this.#seeds.get(user)!.publicKey}, permissions: {
        publish: { allow: [${list(publish)}] }, subscribe: { allow: [${list([...subscribe, `_INBOX_${user}.>`])}] }
        allow_responses: { max: 1, expires: "1m" } } }`;
    });
    const config = join(this.folder, 'nats.conf');
    writeFileSync(
      config,
      `host: 127.0.0.1
port: ${this.#natsPort === 0 ? -1 : this.#natsPort}
ports_file_dir: ${JSON.stringify(this.folder)}
${jetStream ? `jetstream { store_dir: ${JSON.stringify(join(this.folder, 'jetstream'))} }` : ''}
accounts { SIEGEL { ${jetStream ? 'jetstream: enabled, ' : ''}users: [ ${users.join('\n')} ] } }
`,
    );
    this.#nats = spawn(binary, ['-c', config], { stdio: 'ignore' });
    const portsFile = () =>
      readdirSync(this.folder).find((name) => name.endsWith(`_${this.#nats!.pid}.ports`));
    await until(() => portsFile() !== undefined, 10_000, 'nats-server did not start');
    const ports = () =>
      JSON.parse(readFileSync(join(this.folder, portsFile()!), 'utf8')) as { nats: string[] };
    await until(
      () => readFileSync(join(this.folder, portsFile()!), 'utf8').includes('nats://'),
      5_000,
      'no ports',
    );
    this.#natsPort = Number(new URL(ports().nats[0]!).port);
  }

  async startAudit(): Promise<void> {
    this.#audit = this.#spawnAudit();
    await this.#serving(this.#audit);
  }

  /** Starts another process on the same folder, beside the one that runs. */
  async startSecond(): Promise<void> {
    const { url } = this;
    const second = this.#spawnAudit();
    try {
      await this.#serving(second);
    } finally {
      await end(second, 'SIGKILL');
      this.url = url;
    }
  }

  /** What every audit process of this deployment is started with. */
  serviceEnvironment(state: string): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      MALLOC_ARENA_MAX: '2',
      SIEGEL_NATS_SERVERS: this.natsUrl,
      SIEGEL_NATS_SEED_FILE: join(this.folder, 'audit.seed'),
      SIEGEL_NATS_INBOX_PREFIX: '_INBOX_audit',
      SIEGEL_TRUST_FILE: join(this.folder, 'trust.json'),
      SIEGEL_STATE_DIR: state,
      SIEGEL_HTTP_PORT: '0',
      SIEGEL_EMITTER_KEY_FILE: join(this.folder, 'emitter.pem'),
      SIEGEL_AUDIT_LOG_KEY_FILE: join(this.folder, 'log.pem'),
    };
  }

  #spawnAudit(): ChildProcess {
    return spawn(
      process.execPath,
      ['--enable-source-maps', ...MEMORY_FLAGS, join(ROOT, 'dist/apps/audit/src/main.js')],
      {
        env: { ...this.serviceEnvironment(this.state), ...this.environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
  }

  async #serving(child: ChildProcess): Promise<void> {
    this.url = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.output = (this.output + text).slice(-65_536);
      const match = /"url":"(https?:[^"]+)"/.exec(text);
      if (match) this.url = match[1]!;
    });
    await until(() => this.url !== '' || child.exitCode !== null, 20_000, 'the audit service did not start');
    if (this.url !== '') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error(`the audit service ended with ${child.exitCode}: ${this.output}`);
  }

  get natsUrl(): string {
    return `nats://127.0.0.1:${this.#natsPort}`;
  }

  get natsPid(): number {
    return this.#nats!.pid!;
  }

  get pid(): number {
    return this.#audit!.pid!;
  }

  /** Sends a signal to the audit process and waits for its end. */
  async stopAudit(signal: NodeJS.Signals): Promise<number | null> {
    return end(this.#audit, signal);
  }

  async stopNats(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await end(this.#nats, signal);
  }

  /** A connection of one of the users; closed with the deployment. */
  async connect(user: User): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.natsUrl,
      authenticator: nkeyAuthenticator(this.#seeds.get(user)!.seed),
      inboxPrefix: `_INBOX_${user}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      noAsyncTraces: true,
    });
    this.#connections.push(connection);
    return connection;
  }

  async requests(): Promise<NatsRequests> {
    return new NatsRequests(await this.connect('emitter')).start();
  }

  /** GET with the token; `text` for what is not JSON. */
  async get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${this.token}`, ...headers } });
  }

  async json<T>(path: string): Promise<T> {
    const response = await this.get(path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close().catch(() => undefined)));
    await end(this.#audit, 'SIGKILL');
    await end(this.#nats, 'SIGKILL');
    if (this.kept === undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An emitter whose numbers a test can choose. */
export class TestEmitter {
  readonly epoch = randomUUID();
  seq = 0;

  constructor(
    readonly key: Key,
    readonly name = 'key-release',
  ) {}

  /** A signed attestation event. */
  event(change: Partial<AuditEvent> & { seq?: number } = {}): { id: string; entry: Buffer; seq: number } {
    const { seq = ++this.seq, ...rest } = change;
    const id = randomUUID();
    const event = {
      v: 1,
      id,
      tenant: 'default',
      time: new Date().toISOString(),
      emitter: { name: this.name, instance: 'test-1', epoch: this.epoch, seq },
      outcome: 'denied',
      reason: { code: 'RELEASE_DENIED', message: 'The measurement is not in the manifest.' },
      workload: 'payments',
      session: id,
      mrenclave: hash('sha256', 'enclave'),
      mrsigner: hash('sha256', 'signer'),
      tcbStatus: 'UpToDate',
      simulated: true,
      type: 'attestation.denied',
      data: {
        protocol: 'native',
        evidence: {
          sha256: hash('sha256', id),
          format: 'dcap',
          tee: 'sgx',
          fmspc: '00906ed50000',
          isvProdId: 1,
          isvSvn: 2,
        },
        boundKey: 'k'.repeat(43),
        binding: 'sha256-spki',
        manifest: { version: 3, digest: hash('sha256', 'manifest') },
        conditions: [
          {
            name: 'mrenclave',
            expected: hash('sha256', 'other'),
            actual: hash('sha256', 'enclave'),
            ok: false,
          },
          { name: 'tcb', expected: 'UpToDate', actual: 'UpToDate', ok: true },
        ],
      },
      ...rest,
    } as AuditEvent;
    const signer = { kid: this.key.kid, sign: (data: Uint8Array) => sign(null, data, this.key.privateKey) };
    return { id, seq, entry: signedEntry(event, signer) };
  }
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  milliseconds: number,
  what: string,
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await ended;
  return child.exitCode;
}
