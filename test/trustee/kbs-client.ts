import { hash } from 'node:crypto';
import type { Attester } from './attesters.js';
import { KbsConnection, type KbsAnswer, type KbsTransport } from './kbs-connection.js';
import { canonical, TeeKeyPair } from './tee-key-pair.js';

/** What the user of the real client is shown when it gives up. */
export class KbsFailure extends Error {
  override readonly name = 'KbsFailure';
  constructor(
    message: string,
    readonly answer?: KbsAnswer,
  ) {
    super(message);
  }
}

export type Version = '0.4.0' | '0.2.0' | '0.1.1';

export interface ClientOptions {
  readonly version?: Version;
  readonly key?: TeeKeyPair;
  readonly initData?: string;
  /** Whether there is a sample device beside the first TEE (`ENABLE_SAMPLE_DEVICE`). */
  readonly sampleDevice?: boolean;
  /** Evidence of further devices as it is sent and hashed, in place of the sample device's. */
  readonly devices?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A last look at the body of `/attest`, to spoil it. */
  readonly change?: (body: Record<string, unknown>) => unknown;
  /** How often a handshake for a token is repeated; the real client pauses a second between two. */
  readonly handshakes?: number;
}

const ROUNDS = 3;

/**
 * The client of guest-components (`attestation-agent/kbs_protocol`) in both of its modes: background check (the session's cookie) and
 * passport (`get_token`, then the token). Written from the protocol; it decides as that client does from what it is answered.
 */
export class KbsClient {
  readonly key: TeeKeyPair;
  readonly connection: KbsConnection;

  constructor(
    transport: KbsTransport,
    private readonly attester: Attester,
    private readonly options: ClientOptions = {},
  ) {
    this.key = options.key ?? TeeKeyPair.generate();
    this.connection = new KbsConnection(transport, options.headers);
  }

  /** Background check. At 401 it attests and asks again, three times in all; anything else is the end. */
  async getResource(path: string): Promise<Buffer> {
    for (let round = 0; round < ROUNDS; round++) {
      const answer = await this.connection.call('GET', `/kbs/v0/resource/${path}`);
      if (answer.status === 200) return this.open(answer.text);
      if (answer.status !== 401) throw refusal(answer);
      await this.handshake();
    }
    throw new KbsFailure('request unauthorized');
  }

  /** Passport: the token alone, to be carried elsewhere. */
  async getToken(): Promise<string> {
    let last: unknown;
    for (let attempt = 0; attempt < (this.options.handshakes ?? 1); attempt++) {
      try {
        return await this.handshake();
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** With a token that was fetched before, and no cookie. */
  async getResourceWithToken(path: string, token: string): Promise<Buffer> {
    const answer = await this.connection.call('GET', `/kbs/v0/resource/${path}`, { bearer: token });
    if (answer.status !== 200) throw refusal(answer);
    return this.open(answer.text);
  }

  /** The two steps of the handshake. */
  async handshake(): Promise<string> {
    return this.attest(await this.auth());
  }

  async auth(): Promise<string> {
    const { version = '0.4.0' } = this.options;
    const extra =
      version === '0.4.0' ? { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512', 'sm3'] } : '';
    const body = JSON.stringify({ version, tee: this.attester.tee, 'extra-params': extra });
    const answer = await this.connection.call('POST', '/kbs/v0/auth', { body });
    if (answer.status !== 200) throw refusal(answer);
    const { nonce } = JSON.parse(answer.text) as { nonce: string };
    return nonce;
  }

  async attest(nonce: string): Promise<string> {
    const made = this.attestation(nonce);
    const body = JSON.stringify(this.options.change ? this.options.change(made) : made);
    const answer = await this.connection.call('POST', '/kbs/v0/attest', { body });
    if (answer.status !== 200) throw refusal(answer);
    const { token } = JSON.parse(answer.text) as { token: string };
    requireTimes(token);
    return token;
  }

  /** The body of `/attest`. */
  attestation(nonce: string): Record<string, unknown> {
    const { version = '0.4.0', initData, sampleDevice, devices = '' } = this.options;
    const { jwk } = this.key;
    const device = hash('sha384', canonical({ nonce, 'tee-pubkey': jwk }), 'buffer');
    if (version !== '0.4.0') return { 'tee-pubkey': jwk, 'tee-evidence': this.attester.evidence(device) };
    const additional = sampleDevice
      ? JSON.stringify({ sampledevice: { report_data: device.toString('base64'), svn: '2' } })
      : devices;
    const runtime = canonical({ 'additional-evidence': additional, nonce, 'tee-pubkey': jwk });
    return {
      'init-data': initData === undefined ? null : { format: 'toml', body: initData },
      'runtime-data': { nonce, 'tee-pubkey': jwk },
      'tee-evidence': {
        primary_evidence: this.attester.evidence(hash('sha384', runtime, 'buffer')),
        additional_evidence: additional,
      },
    };
  }

  private open(text: string): Promise<Buffer> {
    return this.options.version === '0.1.1' ? this.key.openLegacy(text) : this.key.open(text);
  }
}

/** The client shows the detail of an error that has one, and for other bodies that it could not be read. */
function refusal(answer: KbsAnswer): KbsFailure {
  try {
    const { type, detail } = JSON.parse(answer.text) as { type: unknown; detail: unknown };
    if (typeof type === 'string' && typeof detail === 'string') return new KbsFailure(detail, answer);
  } catch {
    // Said below.
  }
  return new KbsFailure('error decoding response body', answer);
}

/** The client never checks the signature; it wants times to be numbers. */
function requireTimes(token: string): void {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as object;
  for (const name of ['exp', 'nbf']) {
    const value = (claims as Record<string, unknown>)[name];
    if (value !== undefined && typeof value !== 'number') throw new KbsFailure(`${name} is no number`);
  }
}
