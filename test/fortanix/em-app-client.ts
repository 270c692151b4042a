import type { SoftwareEnclave } from '#simulator';
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import {
  commonName,
  emAppCsr,
  embeddedFqpe,
  enclaveNames,
  inlineSgxLocal,
  type NamePart,
} from './em-app-csr.js';

/** What a client gives up with; the words are those of em-app's error variants. */
export class EmAppFailure extends Error {}

export interface CertificateAnswer {
  readonly task_id?: string;
  readonly task_status?: string;
  readonly certificate?: string;
}

export interface BootOptions {
  readonly key: KeyObject;
  readonly name?: string;
  readonly altNames?: readonly string[];
  /** 64 hex digits. */
  readonly configId?: string;
  /** What a hostile host does to the second request before it is signed, or to what it carries. */
  readonly second?: (parts: { names: NamePart[]; app: Buffer; node: Buffer }) => {
    names: NamePart[];
    app: Buffer;
    node: Buffer;
  };
  readonly extended?: boolean;
}

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
};

/** `get_user_data` of em-app/src/lib.rs. */
export function userData(key: KeyObject, configId?: string): Buffer {
  const hash = sha256(createPublicKey(key).export({ format: 'der', type: 'spki' }));
  if (configId === undefined) return Buffer.concat([hash, Buffer.alloc(32)]);
  const id = Buffer.from(configId, 'hex');
  if (id.length !== 32) throw new EmAppFailure('ConfigIdIssue');
  return Buffer.concat([sha256(Buffer.of(1), hash, id), id]);
}

/** em-app's way to a certificate (rust-sgx: em-app/src/platform/sgx.rs), with the checks that it makes and no others. */
export class EmAppClient {
  constructor(
    private readonly agent: string,
    private readonly enclave: SoftwareEnclave,
  ) {}

  async boot(options: BootOptions): Promise<CertificateAnswer> {
    return this.issue(await this.secondRequest(options));
  }

  /** Everything up to the certificate request that carries the attestation. */
  async secondRequest({
    key,
    name = 'an application',
    altNames = [],
    configId,
    second,
    extended = false,
  }: BootOptions): Promise<string> {
    const data = userData(key, configId);
    const { targetInfo } = (await this.call('GET', '/v1/enclave/target-info')) as { targetInfo?: string };
    const target = Buffer.from(targetInfo ?? '', 'base64');
    if (target.length !== 512) throw new EmAppFailure('TargetReportInternal');
    const report = this.enclave.report(target, data);
    const names = [commonName(name), ...enclaveNames(report, { extended })];
    const first = emAppCsr(key, { names, attributes: [inlineSgxLocal(report)], altNames });
    const { app, node } = await this.attestationCertificates(report, first);
    const parts = second ? second({ names, app, node }) : { names, app, node };
    const attributes = [embeddedFqpe(parts.app, parts.node)];
    return emAppCsr(key, { names: parts.names, attributes, altNames });
  }

  async issue(csr: string): Promise<CertificateAnswer> {
    return (await this.call('POST', '/v1/certificate/issue', { csr })) as CertificateAnswer;
  }

  async result(task: string): Promise<CertificateAnswer> {
    return (await this.call('POST', `/v1/certificate/result/${task}`)) as CertificateAnswer;
  }

  /** `get_attestation_certificates`: the three checks. */
  private async attestationCertificates(report: Buffer, csr: string): Promise<{ app: Buffer; node: Buffer }> {
    const answer = (await this.call('POST', '/v1/enclave/attest', {
      report: report.toString('base64'),
      attestation_csr: csr,
    })) as Record<string, string | undefined>;
    const vouching = Buffer.from(answer['fqpe_report'] ?? '', 'base64');
    if (vouching.length !== 432) throw new EmAppFailure('AttestationCertInternal');
    if (!this.enclave.accepts(vouching)) throw new EmAppFailure('AttestationCertValidation: MAC');
    const app = pemToDer(answer['attestation_certificate']);
    const expected = Buffer.concat([sha256(app), Buffer.alloc(32)]);
    if (!vouching.subarray(320, 384).equals(expected))
      throw new EmAppFailure('AttestationCertValidation: hash');
    return { app, node: pemToDer(answer['node_certificate']) };
  }

  /** Only 200 is success; the body is JSON. */
  private async call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.agent}${path}`, {
      method,
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new EmAppFailure(`NodeAgentClient: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

/** `pkix::pem::pem_to_der(…, Some(PEM_CERTIFICATE))`: guard and base64, no X.509. */
function pemToDer(pem = ''): Buffer {
  const body = /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?$/.exec(
    pem,
  )?.[1];
  if (body === undefined) throw new EmAppFailure('AttestationCertInternal: PEM');
  return Buffer.from(body, 'base64');
}
