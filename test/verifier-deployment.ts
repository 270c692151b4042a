// A nats-server, a relying party and quote-verifier processes from dist/, for the verifier's system tests.
import { SUBJECTS, TrustFile, VerdictClaims, VERDICT_TYP, VerifyReply } from '#contracts';
import { LocalSigner, verifyJws } from '#pki';
import { NatsRequests } from '#platform';
import { SimulatedSgx } from '#simulator';
import { createUser } from '@nats-io/nkeys';
import { connect, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests and tools run in the checkout. */
const ROOT = process.cwd();
const ENTRY = join(ROOT, 'dist/apps/quote-verifier/src/main.js');
const START_MS = 20_000;

export const hasNatsServer = [
  '/usr/sbin',
  '/usr/bin',
  '/usr/local/bin',
  ...(process.env['PATH'] ?? '').split(':'),
].some((folder) => existsSync(join(folder, 'nats-server')));

/** One service process. */
export interface Verifier {
  readonly url: string;
  readonly log: () => string;
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Verdict {
  readonly token: string;
  readonly claims: VerdictClaims;
}

interface User {
  readonly publicKey: string;
  readonly seed: Uint8Array;
}

/** Everything in one temporary folder and on ports that the OS chose; `stop` ends all of it. */
export class Deployment {
  readonly folder = mkdtempSync(join(tmpdir(), 'siegel-verifier-'));
  readonly sgx: SimulatedSgx;
  readonly bundles = join(this.folder, 'bundles');
  private readonly verifiers = new Set<Verifier>();
  private natsPort = 0;
  private nats: ChildProcess | undefined;
  private key: LocalSigner | undefined;
  relyingParty!: NatsConnection;
  requests!: NatsRequests;

  private constructor(sgx: SimulatedSgx) {
    this.sgx = sgx;
  }

  static async start(options: { sgx?: SimulatedSgx; jetstream?: boolean } = {}): Promise<Deployment> {
    const deployment = new Deployment(options.sgx ?? SimulatedSgx.create({ seed: 'verifier tests' }));
    await deployment.prepare(options.jetstream ?? true);
    return deployment;
  }

  /** Starts a replica; resolves when it takes requests. Rejects with what it wrote if it ends before. */
  async verifier(environment: Record<string, string> = {}, name = 'v1'): Promise<Verifier> {
    const state = join(this.folder, name);
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const child = spawn(process.execPath, ['--enable-source-maps', ENTRY], {
      env: {
        PATH: process.env['PATH'] ?? '',
        SIEGEL_PARENT_PIPE: 'true',
        SIEGEL_NATS_SERVERS: `nats://127.0.0.1:${this.natsPort}`,
        SIEGEL_NATS_SEED_FILE: join(this.folder, 'quote_verifier.seed'),
        SIEGEL_NATS_INBOX_PREFIX: '_INBOX_quote_verifier',
        SIEGEL_TRUST_FILE: join(this.folder, 'trust.json'),
        SIEGEL_STATE_DIR: state,
        SIEGEL_HTTP_PORT: '0',
        SIEGEL_INSTANCE: name,
        SIEGEL_SIMULATION: 'true',
        SIEGEL_SIMULATED_ROOT_FILE: join(this.folder, 'root.pem'),
        SIEGEL_VERDICT_KEY_FILE: join(this.folder, 'verdict.pem'),
        SIEGEL_COLLATERAL_SOURCES: 'bundle',
        SIEGEL_COLLATERAL_BUNDLE_DIR: this.bundles,
        SIEGEL_COLLATERAL_RETRY_MS: '200',
        ...environment,
      },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let log = '';
    const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    const url = await new Promise<string>((ready, failed) => {
      const timer = setTimeout(() => failed(new Error(`the verifier did not start:\n${log}`)), START_MS);
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        const found = /verifying; HTTP on (http:\/\/[^"]+)/.exec(log)?.[1];
        if (found === undefined) return;
        clearTimeout(timer);
        ready(found);
      });
      void exited.then((code) => {
        clearTimeout(timer);
        failed(new VerifierExit(code, log));
      });
    });
    const verifier: Verifier = {
      url,
      log: () => log,
      pid: child.pid as number,
      stop: async (signal = 'SIGTERM') => {
        this.verifiers.delete(verifier);
        child.kill(signal);
        return exited;
      },
    };
    this.verifiers.add(verifier);
    return verifier;
  }

  /** Asks for a verdict and checks its signature. Rejects with SiegelError or NatsRequestError. */
  async verify(
    evidence: Uint8Array,
    members: Record<string, unknown> = {},
    timeoutMs = 8_000,
  ): Promise<Verdict> {
    const requestId = randomBytes(16).toString('base64url');
    const body = JSON.stringify({
      v: 1,
      requestId,
      tenant: 'default',
      evidence: Buffer.from(evidence).toString('base64url'),
      ...members,
    });
    const answer = await this.requests.request(SUBJECTS.verify, body, timeoutMs);
    const { verdict } = VerifyReply.parse(JSON.parse(Buffer.from(answer).toString()));
    const { publicKey, kid } = this.key as LocalSigner;
    const { payload } = await verifyJws(verdict, {
      typ: VERDICT_TYP,
      keys: { alg: 'ES256', key: publicKey, kid },
    });
    const claims = VerdictClaims.parse(JSON.parse(payload.toString()));
    if (claims.rid !== requestId) throw new Error('the verdict is for another request');
    return { token: verdict, claims };
  }

  writeBundle(name: string, bundle: object): void {
    writeFileSync(join(this.bundles, name), JSON.stringify(bundle));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.verifiers].map((verifier) => verifier.stop()));
    this.requests.onModuleDestroy();
    await this.relyingParty.close();
    await stopProcess(this.nats);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async prepare(jetstream: boolean): Promise<void> {
    mkdirSync(this.bundles);
    writeFileSync(join(this.folder, 'root.pem'), this.sgx.rootPem);
    this.key = await LocalSigner.createFile(join(this.folder, 'verdict.pem'), 'ES256');
    const emitter = LocalSigner.generate('EdDSA').jwk();
    writeFileSync(
      join(this.folder, 'trust.json'),
      JSON.stringify(
        TrustFile.parse({
          siegelTrust: 1,
          verifiers: [this.key.jwk()],
          emitters: [{ name: 'test', jwk: emitter }],
          manifestSigners: [LocalSigner.generate('ES256').jwk()],
          logs: [{ origin: 'siegel.test/default', jwk: emitter }],
        }),
      ),
    );
    const verifier = newUser();
    writeFileSync(join(this.folder, 'quote_verifier.seed'), verifier.seed, { mode: 0o600 });
    const party = newUser();
    this.natsPort = await freePort();
    this.nats = await startNats(
      this.folder,
      this.natsPort,
      natsConfiguration(this.folder, verifier, party, jetstream),
    );
    this.relyingParty = await connect({
      servers: `nats://127.0.0.1:${this.natsPort}`,
      authenticator: nkeyAuthenticator(party.seed),
      inboxPrefix: '_INBOX_key_release',
    });
    this.requests = new NatsRequests(this.relyingParty).start();
  }
}

/** The service ended instead of starting. */
export class VerifierExit extends Error {
  constructor(
    readonly code: number | null,
    readonly log: string,
  ) {
    super(`the verifier ended with ${code}:\n${log}`);
  }
}

function newUser(): User {
  const user = createUser();
  return { publicKey: user.getPublicKey(), seed: user.getSeed() };
}

/** The permissions of the service as docs/collateral.md lists them: the test fails if the service needs more. */
function natsConfiguration(folder: string, verifier: User, party: User, jetstream: boolean): string {
  const bucket = 'KV_siegel_collateral';
  const api = [
    '$JS.API.INFO',
    ...['STREAM.CREATE', 'STREAM.INFO', 'STREAM.MSG.GET', 'DIRECT.GET', 'CONSUMER.CREATE'].map(
      (call) => `$JS.API.${call}.${bucket}`,
    ),
    ...['DIRECT.GET', 'CONSUMER.CREATE', 'CONSUMER.DELETE', 'CONSUMER.INFO'].map(
      (call) => `$JS.API.${call}.${bucket}.>`,
    ),
    '$JS.FC.>',
    '$KV.siegel_collateral.>',
    SUBJECTS.collateralChanged,
  ];
  return `port: 0
max_payload: 1MB
${jetstream ? `jetstream { store_dir: ${JSON.stringify(join(folder, 'nats'))} }` : ''}
accounts { S {
  ${jetstream ? 'jetstream: enabled' : ''}
  users: [
    { nkey: ${verifier.publicKey}, permissions: {
      publish: { allow: ${JSON.stringify(api)} }
      subscribe: { allow: ["${SUBJECTS.verify}", "_INBOX_quote_verifier.>"] }
      allow_responses: { max: 1, expires: "1m" } } }
    { nkey: ${party.publicKey}, permissions: {
      publish: { allow: ["${SUBJECTS.verify}", "$KV.siegel_collateral.>"] }
      subscribe: { allow: ["_INBOX_key_release.>", "${SUBJECTS.collateralChanged}"] } } }
  ] } }
`;
}

async function startNats(folder: string, port: number, configuration: string): Promise<ChildProcess> {
  const file = join(folder, 'nats.conf');
  writeFileSync(file, configuration);
  const child = spawn('nats-server', ['--config', file, '--addr', '127.0.0.1', '--port', String(port)], {
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/bin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  await new Promise<void>((ready, failed) => {
    child.once('exit', () => failed(new Error(`nats-server ended:\n${log}`)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('Server is ready')) ready();
    });
  });
  return child;
}

async function stopProcess(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}
