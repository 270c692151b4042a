import { hash } from 'node:crypto';
import { canonical, type TeeKeyPair } from '../../test/trustee/tee-key-pair.js';
import { type RawAnswer, RawConnection } from '../attest/connection.js';

const REPORT_DATA_BYTES = 64;

/**
 * A client of KBS protocol 0.4.0 that does what the protocol needs and no more (the reference client beside the tests imitates a whole
 * HTTP library): one kept connection, its requests written with the real client's headers, the session's cookie taken from the answers.
 */
export class QuickKbsClient {
  private cookie = '';
  private readonly keyJson: string;

  private constructor(
    private readonly connection: RawConnection,
    private readonly host: string,
    readonly key: TeeKeyPair,
    /** Quote over 64 bytes of report data. */
    private readonly quote: (reportData: Buffer) => Buffer,
  ) {
    this.keyJson = canonical(key.jwk);
  }

  static async connect(
    port: number,
    key: TeeKeyPair,
    quote: (reportData: Buffer) => Buffer,
  ): Promise<QuickKbsClient> {
    return new QuickKbsClient(await RawConnection.openPlain(port), `127.0.0.1:${port}`, key, quote);
  }

  /** The nonce of a new session. */
  async auth(): Promise<string> {
    const algorithms = '["sha256","sha384","sha512","sm3"]';
    const body = `{"version":"0.4.0","tee":"sgx","extra-params":{"supported-hash-algorithms":${algorithms}}}`;
    const { nonce } = JSON.parse(await this.post('/kbs/v0/auth', body)) as { nonce: string };
    return nonce;
  }

  /** The token. */
  async attest(nonce: string): Promise<string> {
    const key = this.keyJson;
    const bound = `{"additional-evidence":"","nonce":"${nonce}","tee-pubkey":${key}}`;
    const reportData = Buffer.concat([hash('sha384', bound, 'buffer')], REPORT_DATA_BYTES);
    const evidence = `{"primary_evidence":{"quote":"${this.quote(reportData).toString('base64')}"},"additional_evidence":""}`;
    const body = `{"init-data":null,"runtime-data":{"nonce":"${nonce}","tee-pubkey":${key}},"tee-evidence":${evidence}}`;
    const { token } = JSON.parse(await this.post('/kbs/v0/attest', body)) as { token: string };
    return token;
  }

  /** The JWE of a resource. */
  async read(path: string): Promise<string> {
    return this.answerTo('GET', `/kbs/v0/resource/${path}`, '\r\n');
  }

  close(): void {
    this.connection.close();
  }

  private post(path: string, body: string): Promise<string> {
    const rest = `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    return this.answerTo('POST', path, rest);
  }

  /** @param rest what follows the headers that every request has; ASCII */
  private async answerTo(method: string, path: string, rest: string): Promise<string> {
    const cookie = this.cookie === '' ? '' : `cookie: ${this.cookie}\r\n`;
    const answer = await this.connection.send(
      `${method} ${path} HTTP/1.1\r\nuser-agent: attestation-agent-kbs-client/0.1.0\r\naccept: */*\r\nhost: ${this.host}\r\n${cookie}${rest}`,
    );
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body}`);
    this.keepCookie(answer);
    return answer.body;
  }

  private keepCookie({ head }: RawAnswer): void {
    const cookie = /\r\nset-cookie: (kbs-session-id=[0-9a-f]{32})/i.exec(head)?.[1];
    if (cookie !== undefined) this.cookie = cookie;
  }
}
