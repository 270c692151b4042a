import { AnjunaAttestRequest, AnjunaAttestResponse } from '#contracts';
import { jsonSchemaOf, schemaPipe } from '#platform';
import { Body, Controller, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { sealedResponse } from '../../../attest/attest.controller.js';
import type { AttestingRoute } from '../../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import type { Granted } from '../../../pipeline/interface.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { ANJUNA_PROTOCOL, requireAnjuna } from '../protocol.js';
import { provisioningKeyOf, quoteOf } from './provisioning-files.js';
import { SingleCiphertexts } from './single-ciphertexts.js';

/** What `anjuna-sgxrun --provision` wrote, handed in by the operator; the answer is for the enclave alone. */
@ApiTags('enclaves')
@Controller('v1/attest/anjuna')
export class ProvisioningController {
  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @RouteConfig({ attests: ANJUNA_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: "Attest by an enclave's provisioning files; receive secrets sealed to its key" })
  @ApiOkResponse({ schema: jsonSchemaOf(AnjunaAttestResponse) })
  async attest(
    @Body({
      schema: AnjunaAttestRequest,
      pipes: [schemaPipe('REQUEST_MALFORMED', { quote: 'EVIDENCE_TOO_LARGE' })],
    })
    { quote, publicKey, form, workload }: AnjunaAttestRequest,
    @Req() request: FastifyRequest,
  ): Promise<AnjunaAttestResponse> {
    requireAnjuna(this.environment);
    const evidence = quoteOf(quote);
    const key = provisioningKeyOf(publicKey);
    const single = form === 'rsa-oaep-256' ? new SingleCiphertexts(key) : undefined;
    const granted = await this.pipeline.attest({
      tenant: this.tenants.resolve(request.headers.host),
      protocol: ANJUNA_PROTOCOL,
      evidence,
      format: 'auto',
      binding: { convention: 'sha512-rsa-der', key },
      ...(workload === undefined ? {} : { workloadHint: workload }),
      ...(single === undefined ? {} : { carrier: single }),
    });
    return single ? oneByOne(granted, single) : { ...sealedResponse(granted, key), form: 'jwe' };
  }
}

function oneByOne(granted: Granted, sealer: SingleCiphertexts): AnjunaAttestResponse {
  const { env, files, certificate } = granted.payload;
  return {
    form: 'rsa-oaep-256',
    token: granted.token,
    tokenType: 'DPoP',
    expiresAt: granted.expiresAt.toISOString(),
    sessionEndsAt: granted.sessionEndsAt.toISOString(),
    session: granted.session,
    workload: granted.workload,
    simulated: granted.simulated,
    env: Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, sealer.seal(Buffer.from(value, 'utf8'))]),
    ),
    files: files.map(({ path, mode, content }) => ({
      path,
      mode,
      content: sealer.seal(Buffer.from(content, 'base64')),
    })),
    ...(certificate === undefined ? {} : { certificate }),
    promise: granted.promise,
  };
}
