import { SiegelError } from '#contracts';
import type { UnaryCall } from '#platform';
import { ReplayCache } from '#pki';
import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { EarlyRefusals, refusal } from '../../../pipeline/early-refusals.js';
import type { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { addresseeOf } from '../../../tenants/addressee.js';
import type { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { RequestedSecret } from '../delivery/requested-secret.js';
import { writeFields } from '../protobuf.js';
import { quoteIdentity } from './client-report.js';
import { type Envelope, envelopeJson, envelopeMessage, seal, signRsa } from './envelope.js';
import { readGetEnclaveSecret, readTaGetSecret, type SecretRequest } from './requests.js';

export const AECS_PROTOCOL = 'occlum-aecs';

/** Each request has a quote of its own, so that a quote that comes again with the same question is somebody's copy. */
const REMEMBERED_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 500_000;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The two methods by which Occlum enclaves get secrets from AECS (libaecs_client), answered by way of the release pipeline. */
export class AecsService {
  private readonly answered = new ReplayCache({ maxEntries: MAX_REMEMBERED });
  private readonly refusals: EarlyRefusals;
  /** Of this process alone: clients do not know the server's key, and take the one that comes with the answer. */
  private readonly authReport: Buffer;

  private constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
    private readonly serverKey: KeyObject,
  ) {
    this.refusals = new EarlyRefusals(pipeline, AECS_PROTOCOL);
    const pem = createPublicKey(serverKey).export({ type: 'pkcs1', format: 'pem' });
    this.authReport = writeFields([2, pem]);
  }

  static async create(pipeline: ReleasePipeline, tenants: TenantResolver): Promise<AecsService> {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
    return new AecsService(pipeline, tenants, privateKey);
  }

  /** By path, as a gRPC server takes them. */
  get methods() {
    return {
      '/kubetee.Aecs/GetEnclaveSecret': (call: UnaryCall) => this.getEnclaveSecret(call),
      '/kubetee.Aecs/TaRemoteCall': (call: UnaryCall) => this.taRemoteCall(call),
    };
  }

  /** AECS as Occlum builds it: the plain text is the secret itself. */
  private async getEnclaveSecret(call: UnaryCall): Promise<Buffer> {
    const { envelope } = await this.answer(call, readGetEnclaveSecret, (value) => value);
    return writeFields([1, this.authReport], [2, envelopeMessage(envelope)]);
  }

  /** AECS 2: the plain text is the JSON of an `EnclaveSecret`, and the answer is signed. */
  private async taRemoteCall(call: UnaryCall): Promise<Buffer> {
    const { envelope, request } = await this.answer(call, readTaGetSecret, enclaveSecret);
    const json = JSON.stringify({ secret_enc: envelopeJson(envelope), nonce: request.nonce });
    const signature = (await signRsa(Buffer.from(json), this.serverKey)).toString('base64');
    return writeFields([1, this.authReport], [2, json], [3, signature]);
  }

  private async answer(
    call: UnaryCall,
    read: (message: Buffer) => SecretRequest,
    plainOf: (value: Buffer, request: SecretRequest) => Buffer,
  ): Promise<{ readonly envelope: Envelope; readonly request: SecretRequest }> {
    const to = addresseeOf(this.tenants, call.servername ?? null);
    const request = await this.refusals.around(to.tenant, () => read(call.request));
    const { report, name, service, nonce } = request;
    const carrier = new RequestedSecret(
      { protocol: 'aecs', name, service },
      call.signal,
      () => this.claim(request),
      (value) => plainOf(value, request),
    );
    await this.pipeline.attest({
      ...to,
      protocol: AECS_PROTOCOL,
      evidence: report.quote,
      format: 'dcap',
      binding: { convention: 'aecs-pem', key: report.key, runtimeData: report.pem },
      carrier,
    });
    const plain = carrier.reply;
    const envelope = await seal(plain, report.key.keyObject, this.serverKey, nonce);
    plain.fill(0);
    return { envelope, request };
  }

  private claim({ report, service, name }: SecretRequest): void {
    const now = new Date();
    const id = JSON.stringify([quoteIdentity(report.quote), service, name]);
    const verdict = this.answered.claim(id, new Date(now.getTime() + REMEMBERED_MS), now);
    if (verdict === 'fresh') return;
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    const message = 'this quote has had this secret; the client makes a new quote for each request';
    throw refusal('EVIDENCE_REPLAYED', 'QUOTE_SERVED_BEFORE', message);
  }
}

function enclaveSecret(value: Buffer, { service, name }: SecretRequest): Buffer {
  let data: string;
  try {
    data = utf8.decode(value);
  } catch {
    const message = `${name} is not text, which the JSON of AECS 2 cannot carry; say form: base64`;
    throw refusal('SECRET_UNUSABLE', 'SECRET_NOT_TEXT', message);
  } finally {
    value.fill(0);
  }
  return Buffer.from(JSON.stringify({ spec: { secret_name: name, service_name: service }, data }));
}
