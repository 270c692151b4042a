import type { AuditEvent } from '#contracts';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventTail, identityOf, type RunningSiegel, startSiegel } from '../harness/index.js';
import { certificate, type Identity } from './client-certificate.js';
import { freePorts } from '../marblerun/free-ports.js';

export interface Answered {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- bodies of a foreign protocol
  readonly body: any;
}

/** A whole deployment with the port of CAS clients. */
export class SconeDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly port: number,
    readonly owner: Identity,
    readonly authority: Identity,
    readonly tail: EventTail,
    readonly folder: string,
  ) {}

  /**
   * @param federation entries without their authority, which is one for all
   * @param azure what sessions may do by identities of their own
   */
  static async start(federation: readonly object[], azure?: object): Promise<SconeDeployment> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-scone-'));
    const [owner, authority, [port = 0]] = await Promise.all([
      certificate('owner'),
      certificate('authority of a CAS', { authority: true }),
      freePorts(1),
    ]);
    const settings = {
      creators: [owner.spkiHash],
      vaults: { shop: 'demo' },
      ...(azure === undefined ? {} : { azure }),
      federation: federation.map((entry) => ({ ...entry, authority: authority.cert })),
    };
    writeFileSync(join(folder, 'scone.json'), JSON.stringify({ tenants: { default: settings } }));
    writeFileSync(join(folder, 'key'), randomBytes(32).toString('base64'), { mode: 0o600 });
    writeFileSync(join(folder, 'owner.crt'), owner.cert);
    writeFileSync(join(folder, 'owner.key'), owner.key, { mode: 0o600 });
    const environment = {
      SIEGEL_SCONE_PORT: port,
      SIEGEL_SCONE_FILE: join(folder, 'scone.json'),
      SIEGEL_SCONE_KEY_FILE: join(folder, 'key'),
    };
    try {
      const siegel = await startSiegel({
        args: Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        secrets: { 'db-password': 'from the vault' },
      });
      return new SconeDeployment(siegel, port, owner, authority, await siegel.log.tail(), folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.siegel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get ca(): string {
    return readFileSync(this.siegel.layout.caCertificate, 'utf8');
  }

  get url(): string {
    return `https://localhost:${this.port}`;
  }

  /** A new connection each time, so that its certificate is the one that is meant. */
  call(
    method: string,
    path: string,
    body: string | undefined,
    identity: Identity | undefined = this.owner,
    headers: Record<string, string> = {},
  ): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.url}${path}`,
        {
          method,
          ca: this.ca,
          agent: false,
          ...(identity ? { cert: identity.cert, key: identity.key } : {}),
          headers: {
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const type = response.headers['content-type'];
            const json = type?.startsWith('application/json') === true;
            resolve({
              status: response.statusCode ?? 0,
              type,
              text,
              body: json ? (JSON.parse(text) as unknown) : text,
            });
          });
          response.on('error', reject);
        },
      );
      sent.on('error', reject).end(body);
    });
  }

  /** A client without a certificate. */
  anonymous(path: string): Promise<Answered> {
    return this.call('GET', path, undefined, null as unknown as undefined);
  }

  async post(session: string, identity = this.owner): Promise<string> {
    const { status, body, text } = await this.call('POST', '/session', session, identity);
    if (status !== 201) throw new Error(`${status} ${text}`);
    return (body as { hash: string }).hash;
  }

  /** What an enclave with this certificate asks, with a quote over it unless another one is given. */
  attest(
    identity: Identity | undefined,
    fields: Record<string, unknown>,
    word = 'app',
    change: QuoteRequest = {},
    machine: PlatformOptions = {},
  ): Promise<Answered> {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    const reportData = hash('sha512', identity?.der ?? '', 'buffer');
    const quote = platform.quote({ ...identityOf(word), reportData, ...change } as QuoteRequest);
    const body = { evidence: quote.toString('base64url'), ...fields };
    return this.call('POST', '/siegel/v1/attest', JSON.stringify(body), identity);
  }

  async events(): Promise<AuditEvent[]> {
    return this.tail.next();
  }
}
