// A deployment whose verifier serves the API of Microsoft Azure Attestation, and clients of it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import { settlePorts } from '../../apps/cli/src/up/ports.js';
import { type RunningSiegel, sendRaw, startSiegel, temporaryFolder, TENANT } from '../harness/index.js';
import { SdkClient } from './sdk-client.js';

/** A second tenant: another host, so another issuer with keys of its own. */
export const OTHER_ISSUER = 'https://other.attest.example';

/** A policy as Microsoft's documentation has them. */
export const SIGNER_POLICY = (mrsigner: string): string => `version= 1.0;
authorizationrules
{
    [type=="x-ms-sgx-is-debuggable", value==true] => deny();
    [type=="x-ms-sgx-mrsigner", value=="${mrsigner}"] => permit();
};
issuancerules
{
    c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);
    => issueproperty(type="report_validity_in_minutes", value=2);
};
`;

export class MaaFront {
  readonly http: HttpsJson;
  readonly sdk: SdkClient;
  readonly caFile: string;

  private constructor(
    readonly siegel: RunningSiegel,
    readonly folder: string,
    readonly issuer: string,
  ) {
    this.caFile = join(siegel.state, 'maa-ca.pem');
    this.http = new HttpsJson(issuer, readFileSync(this.caFile, 'utf8'));
    this.sdk = SdkClient.start(issuer, this.caFile);
  }

  /** @param policies policy texts by kind, of the default tenant */
  static async start(
    tenant: object,
    policies: Readonly<Record<string, string>> = {},
    args: (issuer: string, folder: string) => readonly string[] | Promise<readonly string[]> = () => [],
  ): Promise<MaaFront> {
    const folder = temporaryFolder();
    const { nats: port } = await settlePorts({ nats: 0, release: 0, verifier: 0, audit: 0 });
    const issuer = `https://localhost:${port}`;
    for (const [kind, text] of Object.entries(policies)) writeFileSync(join(folder, kind), text);
    const files = Object.fromEntries(Object.keys(policies).map((kind) => [kind, kind]));
    const tenants = {
      [TENANT]: { issuer, ...tenant, policies: files },
      other: { issuer: OTHER_ISSUER, hosts: ['other.svc.example'] },
    };
    const file = join(folder, 'tenants.json');
    writeFileSync(file, JSON.stringify({ tenants }));
    const siegel = await startSiegel({
      args: [
        ...['--maa-port', String(port)],
        ...['--env', `SIEGEL_MAA_TENANTS_FILE=${file}`],
        ...(await args(issuer, folder)),
      ],
    });
    return new MaaFront(siegel, folder, issuer);
  }

  /** A request to another host name of this listener. */
  async at(host: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const { text, statuses } = await sendRaw(this.issuer, this.caFile, request);
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
    return { status: statuses[0] ?? 0, body };
  }

  attest(kind: string, body: object | string, headers: Record<string, string> = {}) {
    return this.http.call('POST', `/attest/${kind}?api-version=2022-08-01`, {
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  async stop(): Promise<void> {
    await this.sdk.stop();
    this.http.close();
    await this.siegel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The report header of Open Enclave, version 1, remote report. */
export function openEnclaveReport(quote: Uint8Array): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeBigUInt64LE(BigInt(quote.length), 8);
  return Buffer.concat([header, quote]);
}
