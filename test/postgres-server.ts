import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** The server, its client programs, and the libraries that a small image may lack. */
const PACKAGES = [
  'postgresql-15 postgresql-client-15 libpq5 libicu72 libxml2 libldap-2.5-0 libsasl2-2 libgssapi-krb5-2 libkrb5-3',
  'libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2 libpam0g libsystemd0 libaudit1 libcap-ng0 liblz4-1 libzstd1',
].flatMap((line) => line.split(' '));
const NOBODY = 65_534;
/** Only the name of the socket, where nothing listens on the network. */
const PORT = 5_432;
const FETCH_TIMEOUT_MS = 120_000;

/** With it the server listens on 127.0.0.1 as well, on a free port. */
export interface ServerCertificate {
  certPem: string;
  keyPem: string;
}

interface Binaries {
  folder: string;
  /** Of libraries that came with it. */
  libraries?: string;
}

/**
 * PostgreSQL's programs: on the PATH, Debian's own folder, or Debian's packages unpacked below `tools`, which needs no
 * root. Undefined where none of that can be had.
 */
function findPostgres(tools: string): Binaries | undefined {
  const installed = '/usr/lib/postgresql';
  const candidates = [
    ...(process.env['PATH'] ?? '').split(':').filter((folder) => folder !== ''),
    ...(existsSync(installed)
      ? readdirSync(installed)
          .sort()
          .reverse()
          .map((version) => join(installed, version, 'bin'))
      : []),
  ];
  const folder = candidates.find(
    (each) => existsSync(join(each, 'initdb')) && existsSync(join(each, 'postgres')),
  );
  return folder === undefined ? fetchFromDebian(tools) : { folder };
}

function fetchFromDebian(tools: string): Binaries | undefined {
  const folder = join(tools, 'usr/lib/postgresql/15/bin');
  if (!existsSync(join(folder, 'postgres'))) {
    if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg')) return undefined;
    for (const name of ['lists/partial', 'archives/partial'])
      mkdirSync(join(tools, 'apt', name), { recursive: true });
    const run = (command: string, args: string[]): boolean =>
      spawnSync(command, args, { cwd: tools, stdio: 'ignore', timeout: FETCH_TIMEOUT_MS }).status === 0;
    // Package lists of our own: the machine's may be absent and are not ours to update.
    const own = [
      `Dir::State::Lists=${join(tools, 'apt/lists')}`,
      `Dir::Cache::Archives=${join(tools, 'apt/archives')}`,
      `Dir::Cache::pkgcache=${join(tools, 'apt/pkgcache.bin')}`,
      `Dir::Cache::srcpkgcache=${join(tools, 'apt/srcpkgcache.bin')}`,
      'APT::Sandbox::User=',
      'Debug::NoLocking=1',
    ].flatMap((option) => ['-o', option]);
    const got =
      run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=', 'download', ...PACKAGES]) ||
      (run('apt-get', [...own, '-qq', 'update']) && run('apt-get', [...own, '-qq', 'download', ...PACKAGES]));
    if (!got) return undefined;
    for (const archive of readdirSync(tools).filter((name) => name.endsWith('.deb')))
      if (!run('dpkg', ['-x', join(tools, archive), tools])) return undefined;
  }
  const libraries = join(
    tools,
    'usr/lib',
    process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu',
  );
  const { status } = spawnSync(join(folder, 'postgres'), ['--version'], {
    env: { LD_LIBRARY_PATH: libraries },
    timeout: 10_000,
  });
  return status === 0 ? { folder, libraries } : undefined;
}

/**
 * A real PostgreSQL on a folder of its own, reachable through a socket in that folder alone. It refuses to run as root,
 * so there it runs as nobody.
 */
export class PostgresServer {
  #process: ChildProcess | undefined;
  #databases = 0;

  private constructor(
    private readonly binaries: Binaries,
    readonly folder: string,
    private readonly account: { uid?: number; gid?: number },
    readonly port: number,
  ) {}

  /** Undefined, with one line that says so, where PostgreSQL cannot be had: the caller skips. */
  static async start(tls?: ServerCertificate): Promise<PostgresServer | undefined> {
    const binaries = findPostgres(join(tmpdir(), `siegel-postgres-${userInfo().uid}`));
    if (!binaries) {
      process.stderr.write('SKIPPED: no PostgreSQL here and none from Debian; its cases were NOT run\n');
      return undefined;
    }
    const folder = mkdtempSync(join(tmpdir(), 'siegel-pg-'));
    const root = process.getuid?.() === 0;
    if (root) chownSync(folder, NOBODY, NOBODY);
    const account = root ? { uid: NOBODY, gid: NOBODY } : {};
    const server = new PostgresServer(binaries, folder, account, tls ? await freePort() : PORT);
    try {
      server.#run('initdb', [
        '-D',
        server.#data,
        '-A',
        'trust',
        '-U',
        'siegel',
        '-E',
        'UTF8',
        '--locale=C',
        '-N',
      ]);
      server.#configure(tls);
      await server.resume();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  #configure(tls: ServerCertificate | undefined): void {
    const lines = [OWN_SETTINGS.replace('SOCKETS', this.folder), `port = ${this.port}`];
    if (tls) {
      for (const [name, content] of Object.entries({ 'server.crt': tls.certPem, 'server.key': tls.keyPem })) {
        const path = join(this.folder, name);
        writeFileSync(path, content, { mode: 0o600 });
        if (this.account.uid !== undefined) chownSync(path, this.account.uid, this.account.gid!);
        lines.push(`${name === 'server.crt' ? 'ssl_cert_file' : 'ssl_key_file'} = '${path}'`);
      }
      lines.push('ssl = on', "listen_addresses = '127.0.0.1'");
    }
    writeFileSync(join(this.folder, 'own.conf'), `${lines.join('\n')}\n`);
  }

  get #data(): string {
    return join(this.folder, 'data');
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Starts it on its data, at first and after `stop`. */
  async resume(): Promise<void> {
    const settings = ['-c', `config_file=${join(this.folder, 'own.conf')}`];
    const child = spawn(join(this.binaries.folder, 'postgres'), ['-D', this.#data, ...settings], {
      ...this.#options(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-8_192)));
    const socket = join(this.folder, `.s.PGSQL.${this.port}`);
    const deadline = Date.now() + 20_000;
    while (!output.includes('ready to accept connections') || !(await reachable(socket))) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** A new, empty database; its connection URL. */
  async database(): Promise<string> {
    const name = `siegel${++this.#databases}`;
    const client = new pg.Client({
      host: this.folder,
      port: this.port,
      user: 'siegel',
      database: 'postgres',
    });
    await client.connect();
    try {
      await client.query(`CREATE DATABASE ${name}`);
    } finally {
      await client.end();
    }
    return `postgresql://siegel@localhost:${this.port}/${name}?host=${encodeURIComponent(this.folder)}`;
  }

  /** SIGQUIT is PostgreSQL's way of ending like a crash; SIGINT ends it at once and in order. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.stop('SIGQUIT');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #options() {
    const { libraries } = this.binaries;
    return {
      ...this.account,
      cwd: this.folder,
      env: {
        PATH: '/usr/bin:/bin',
        TZ: 'UTC',
        ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
      },
    };
  }

  #run(program: string, args: readonly string[]): void {
    const { status, stderr } = spawnSync(join(this.binaries.folder, program), args, {
      ...this.#options(),
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  }
}

/** fsync stays on: that commits are durable is what is tested. */
const OWN_SETTINGS = `listen_addresses = ''
unix_socket_directories = 'SOCKETS'
max_connections = 60
shared_buffers = 32MB
max_wal_size = 256MB
log_destination = stderr
logging_collector = off
`;

function reachable(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
