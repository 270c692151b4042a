import { SiegelError } from '#contracts';
import { GRPC_STATUS, GrpcError, type UnaryCall } from '#platform';
import { ReplayCache } from '#pki';
import { type Condition, marblerun } from '#policy';
import { Injectable } from '@nestjs/common';
import { Denial } from '../../../pipeline/denial.js';
import { EarlyRefusals, refusal } from '../../../pipeline/early-refusals.js';
import { EvidenceGate, type AttestedFacts, type Judgement } from '../../../pipeline/evidence-gate.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { CoordinatorError } from '../coordinator-error.js';
import { canonicalUuid, UuidError } from '../derivation/uuid.js';
import { MarbleSecrets } from '../generation/secret-works.js';
import type { ActivationTicket, Deployment, DeploymentSnapshot, Marble } from '../interface.js';
import { judgeInfrastructure, platformOf } from './infrastructure-policy.js';
import { marbleBinding } from './marble-binding.js';
import { issueMarbleCertificate } from './marble-certificate.js';
import { publicKeyOf, readMarbleCsr } from './marble-csr.js';
import { marbleParameters } from './marble-parameters.js';
import {
  decodeActivationRequest,
  encodeActivationResponse,
  MalformedMessage,
  type ActivationRequest,
} from './messages.js';
import { explain, judgePackage } from './package-policy.js';
import { prepareSecrets } from './prepared-secrets.js';
import { ActivationRefusal, verificationFailed } from './refusal.js';

export const MARBLERUN_PROTOCOL = 'marblerun';

/** Real quotes have up to 8 KiB; what the verifier takes. */
const MAX_QUOTE_BYTES = 32 * 1024;
/** grpc-go receives no more. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024 - 1_024;
const NAME_BYTES = 128;
const INVALID_QUOTE = 'invalid quote';
/** A marble makes a new key and certificate at each start: one that comes again by another connection is not a new start. */
const REMEMBERED_MS = 3_600_000;
const MAX_REMEMBERED = 500_000;

/** Who asks, over which connection, of which deployment. */
export interface ActivationCall {
  readonly deployment: Deployment;
  /** DER of the client's certificate, whose key the handshake has proven. */
  readonly certificate: Buffer | undefined;
  readonly connection: object;
  readonly message: Buffer;
}

/** Everything that one activation is about. */
interface Attempt {
  readonly deployment: Deployment;
  readonly snapshot: DeploymentSnapshot;
  readonly marble: Marble;
  readonly request: ActivationRequest;
}

/**
 * `/rpc.Marble/Activate`: a quote over the certificate of this connection, a package that fits it, and the marble's parameters in return.
 * Checks, their order, and what the marble is told are upstream's (reference marblerun.md §2.4); every decision is one event.
 */
@Injectable()
export class Activation {
  private readonly refusals: EarlyRefusals;
  private readonly served = new ReplayCache({ maxEntries: MAX_REMEMBERED });
  private readonly servedHere = new WeakSet<object>();

  constructor(
    private readonly gate: EvidenceGate,
    private readonly secrets: MarbleSecrets,
    pipeline: ReleasePipeline,
  ) {
    this.refusals = new EarlyRefusals(pipeline, MARBLERUN_PROTOCOL);
  }

  /** @returns the encoded ActivationResp @throws GrpcError for a refusal, which is in the log by then; SiegelError for an outage */
  async activate(call: ActivationCall): Promise<Uint8Array> {
    const { deployment, certificate } = call;
    const attempt = await this.examined(call);
    const binding = marbleBinding(certificate!);
    const { quote, marbleType } = attempt.request;
    const input = {
      tenant: deployment.settings.tenant,
      protocol: MARBLERUN_PROTOCOL,
      binding,
      workloadHint: marbleType.slice(0, NAME_BYTES),
    };
    let told: ActivationRefusal | undefined;
    let ticket: ActivationTicket | undefined;
    const judge = async (facts: Partial<AttestedFacts>): Promise<Judgement<Uint8Array>> => {
      const conditions: Condition[] = [];
      try {
        this.requirePackage(attempt, facts, conditions);
        ticket = deployment.countActivation(marbleType);
        // Without a quote, in simulation, a request is read as strictly as upstream reads it.
        const provenKey = facts.verdict && publicKeyOf(certificate!);
        const judgement = await this.answer(attempt, conditions, provenKey);
        if (facts.verdict) this.claim(binding.boundKey, call.connection);
        return judgement;
      } catch (error) {
        const refused = asRefusal(error);
        if (!refused) throw error;
        told = refused;
        const { reason } = refused;
        const all = [...conditions, ...refused.conditions];
        throw new Denial(
          new SiegelError('RELEASE_DENIED', { reason, cause: error }),
          reason,
          all,
          marbleType.slice(0, NAME_BYTES),
        );
      }
    };
    try {
      const { value } =
        quote.length === 0
          ? await this.gate.admitUnattested(input, judge)
          : await this.gate.attest({ ...input, evidence: quote, format: 'auto' }, judge);
      await ticket!.commit();
      return value;
    } catch (error) {
      ticket?.release();
      if (told) throw grpcError(told);
      if (error instanceof SiegelError && error.entry.http < 500)
        throw grpcError(verificationFailed(error.code, INVALID_QUOTE));
      throw error;
    }
  }

  /** What needs no quote to be refused. */
  private examined({ deployment, certificate, message }: ActivationCall): Promise<Attempt> {
    let told: GrpcError | undefined;
    const refuse = (
      error: Parameters<typeof refusal>[0],
      code: string,
      status: number,
      said: string,
    ): never => {
      told = new GrpcError(status, said);
      throw refusal(error, code, said);
    };
    return this.refusals
      .around(deployment.settings.tenant, (): Attempt => {
        const request = decode(message, (said) =>
          refuse('REQUEST_MALFORMED', 'MESSAGE_MALFORMED', GRPC_STATUS.internal, said),
        );
        if (deployment.state !== 'AcceptingMarbles')
          refuse(
            'MANIFEST_MISSING',
            'WRONG_STATE',
            GRPC_STATUS.failedPrecondition,
            'cannot accept marbles in current state',
          );
        if (certificate === undefined)
          refuse(
            'EVIDENCE_MALFORMED',
            'CERTIFICATE_MISSING',
            GRPC_STATUS.unauthenticated,
            "couldn't get marble TLS certificate",
          );
        const snapshot = deployment.snapshot();
        const marble = snapshot.manifest.marbles.get(request.marbleType);
        if (!marble) {
          const said = 'marble verification failed: unknown marble type requested';
          return refuse('RELEASE_DENIED', 'MARBLE_TYPE_UNKNOWN', GRPC_STATUS.permissionDenied, said);
        }
        const invalid = `marble verification failed: ${INVALID_QUOTE}`;
        if (request.quote.length === 0 && !deployment.settings.simulation)
          refuse('EVIDENCE_EMPTY', 'EVIDENCE_MISSING', GRPC_STATUS.permissionDenied, invalid);
        if (request.quote.length > MAX_QUOTE_BYTES)
          refuse('EVIDENCE_TOO_LARGE', 'EVIDENCE_TOO_LARGE', GRPC_STATUS.permissionDenied, invalid);
        return { deployment, snapshot, marble, request };
      })
      .catch((error: unknown) => {
        throw told ?? error;
      });
  }

  private requirePackage(
    { deployment, snapshot, marble, request }: Attempt,
    facts: Partial<AttestedFacts>,
    conditions: Condition[],
  ) {
    const { name } = deployment.settings;
    conditions.push(
      { name: 'deployment', expected: name, actual: name, ok: true },
      {
        name: 'marble',
        expected: null,
        actual: `${request.marbleType} ${request.uuid}`.slice(0, 256),
        ok: true,
      },
    );
    // Without a quote there is nothing to compare; the gate has seen to it that this deployment simulates.
    if (!facts.claims) return;
    const expected = snapshot.manifest.packages.get(marble.package);
    if (!expected) throw verificationFailed('PACKAGE_UNKNOWN', 'undefined package');
    const { conditions: found, failed } = judgePackage(expected, facts.claims);
    conditions.push(...found);
    if (failed) throw verificationFailed(failed, INVALID_QUOTE, explain(failed));
    const { infrastructures } = snapshot.manifest;
    const infrastructure = judgeInfrastructure(
      infrastructures,
      infrastructures.size === 0 ? undefined : platformOf(request.quote),
    );
    if (!infrastructure) return;
    conditions.push(infrastructure);
    if (!infrastructure.ok)
      throw verificationFailed(
        'PLATFORM_NOT_ALLOWED',
        INVALID_QUOTE,
        'the platform is none of the Infrastructures of the manifest',
      );
  }

  private async answer(
    attempt: Attempt,
    conditions: readonly Condition[],
    provenKey: Buffer | undefined,
  ): Promise<Judgement<Uint8Array>> {
    const { deployment, snapshot, marble, request } = attempt;
    const { marbleType } = request;
    const uuid = canonicalUuid(request.uuid);
    const csr = await readMarbleCsr(request.csr, provenKey);
    const templates = marblerun.templatesOf(marble, snapshot.manifest);
    const name = { uuid, type: marbleType };
    const [identity, secrets] = await Promise.all([
      issueMarbleCertificate(csr, name, snapshot.authority.marbleRoot, deployment.settings.keys, new Date()),
      prepareSecrets(this.secrets, deployment.settings, snapshot, marble, name, templates),
    ]);
    const value = encodeActivationResponse(marbleParameters(snapshot, marble, templates, identity, secrets));
    if (value.length > MAX_RESPONSE_BYTES)
      throw new ActivationRefusal(
        {
          status: GRPC_STATUS.resourceExhausted,
          message: `the parameters of this marble exceed ${MAX_RESPONSE_BYTES} bytes`,
        },
        {
          code: 'PARAMETERS_TOO_LARGE',
          message: `${value.length} bytes; a marble receives at most ${MAX_RESPONSE_BYTES}`,
        },
      );
    return {
      workload: marbleType.slice(0, NAME_BYTES),
      conditions,
      policy: { version: snapshot.revision, digest: snapshot.fingerprint },
      grants: secrets.grants,
      certificate: identity.record,
      value,
    };
  }

  private claim(certificate: string, connection: object): void {
    if (this.servedHere.has(connection)) return;
    const now = new Date();
    const verdict = this.served.claim(certificate, new Date(now.getTime() + REMEMBERED_MS), now);
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    if (verdict === 'replayed')
      throw verificationFailed(
        'CERTIFICATE_SERVED_BEFORE',
        INVALID_QUOTE,
        'this certificate was activated over another connection',
      );
    this.servedHere.add(connection);
  }
}

function decode(message: Buffer, refuse: (said: string) => never): ActivationRequest {
  try {
    return decodeActivationRequest(message);
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    // The space is the one that Go's protobuf writes there.
    return refuse(`grpc: error unmarshalling request: proto:\u00a0${error.message}`);
  }
}

function asRefusal(error: unknown): ActivationRefusal | undefined {
  if (error instanceof ActivationRefusal) return error;
  if (error instanceof UuidError) {
    const message = `invalid UUID: ${error.message}`;
    return new ActivationRefusal(
      { status: GRPC_STATUS.invalidArgument, message },
      { code: 'UUID_INVALID', message },
    );
  }
  if (error instanceof CoordinatorError && error.code === 'BUDGET_SPENT')
    return verificationFailed('MAX_ACTIVATIONS_REACHED', error.message);
  return undefined;
}

const grpcError = ({ told }: ActivationRefusal): GrpcError => new GrpcError(told.status, told.message);

/** The part of a gRPC call that an activation needs. */
export const activationCall = (
  deployment: Deployment,
  { peerCertificate, connection, request }: UnaryCall,
): ActivationCall => ({
  deployment,
  certificate: peerCertificate,
  connection,
  message: request,
});
