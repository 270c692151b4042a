import { asSiegelError, SiegelError } from '#contracts';
import { GRPC_STATUS, GrpcError, type UnaryCall } from '#platform';
import { type PublicKey, ReplayCache } from '#pki';
import { EarlyRefusals, refusal } from '../../../pipeline/early-refusals.js';
import type { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { addresseeOf } from '../../../tenants/addressee.js';
import type { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { attestationInput, raTlsPeer, type RaTlsPeer } from '../../../tls/ra-tls-peer.js';
import { RequestedSecret } from '../delivery/requested-secret.js';
import { readFields, textOf } from '../protobuf.js';
import { secretReply } from './reply-encoding.js';

export const RATLS_PROTOCOL = 'occlum-ratls';

/** The client makes a new key for every secret that it asks for. */
const REMEMBERED_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 200_000;
const MAX_NAME_BYTES = 256;

/** The one method by which Occlum's grpc_ratls client gets a secret, answered by way of the release pipeline. */
export class RatlsService {
  private readonly served = new ReplayCache({ maxEntries: MAX_REMEMBERED });
  private readonly refusals: EarlyRefusals;

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
  ) {
    this.refusals = new EarlyRefusals(pipeline, RATLS_PROTOCOL);
  }

  get methods() {
    return { '/ratls.GrSecret/GetSecret': (call: UnaryCall) => this.getSecret(call) };
  }

  private async getSecret(call: UnaryCall): Promise<Buffer> {
    const to = addresseeOf(this.tenants, call.servername ?? null);
    const { peer, name } = await this.refusals.around(to.tenant, () => ({
      name: nameOf(call.request),
      peer: occlumPeer(call.peerCertificate),
    }));
    const asked = { protocol: 'grpc_ratls', name } as const;
    const carrier = new RequestedSecret(asked, call.signal, () => this.claim(peer.key), secretReply);
    try {
      await this.pipeline.attest({ ...attestationInput(peer), ...to, protocol: RATLS_PROTOCOL, carrier });
    } catch (error) {
      const { reason, entry } = asSiegelError(error);
      // Upstream's server has one answer for a name that it does not know.
      if (reason?.code === 'OCCLUM_NAME_UNKNOWN')
        throw new GrpcError(GRPC_STATUS.cancelled, entry.title, { cause: error });
      throw error;
    }
    return carrier.reply;
  }

  private claim(key: PublicKey): void {
    const now = new Date();
    const verdict = this.served.claim(key.thumbprint, new Date(now.getTime() + REMEMBERED_MS), now);
    if (verdict === 'fresh') return;
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    const message = 'this key has had its secret; the client makes a new one each time';
    throw refusal('EVIDENCE_REPLAYED', 'KEY_SERVED_BEFORE', message);
  }
}

/** `SecretRequest`. */
function nameOf(message: Buffer): string {
  const name = textOf(readFields(message), 1, MAX_NAME_BYTES);
  if (name !== '') return name;
  throw refusal('REQUEST_MALFORMED', 'OCCLUM_REQUEST_MALFORMED', 'the request names no secret');
}

/** This port is for certificates of Occlum's form; others have the native endpoint. */
function occlumPeer(certificate: Buffer | undefined): RaTlsPeer {
  const peer = raTlsPeer(certificate);
  if (peer.evidence.dialect === 'occlum') return peer;
  const message = `a certificate of ${peer.evidence.dialect}, not of Occlum's grpc_ratls; POST /v1/attest/ra-tls takes it`;
  throw refusal('EVIDENCE_MALFORMED', 'OCCLUM_DIALECT', message);
}
