import { SiegelError } from '#contracts';
import { schemaPipe } from '#platform';
import { Body, Controller, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { AttestingRoute } from '../../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { SealedTexts } from '../enrolment/sealed-text.js';
import type { Enrolment } from '../enrolment/enrolments.js';
import { FORTANIX_PROTOCOL } from '../protocol.js';
import { ConfigurationCarrier, DatasetCarrier } from './configuration-carrier.js';
import { EnrolledClients } from './enrolled-client.js';
import { accountId, applicationId, objectId } from './identifiers.js';

const TOKEN_SECONDS = 600;

/** `SobjectDescriptor::Name` of sdkms; other descriptors name nothing here. */
const ExportRequest = z.strictObject({ name: z.string().min(1).max(128) });

const AccessToken = z.object({ certificate: z.string(), exp: z.number() });

/** The two calls of Fortanix' secret manager (DSM) with which em-app reads the credentials of a dataset (em-app/src/utils.rs). */
@ApiTags('enclaves')
@Controller()
export class SecretManagerController {
  private readonly tokens: SealedTexts;

  constructor(
    private readonly clients: EnrolledClients,
    private readonly pipeline: ReleasePipeline,
    @Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment,
  ) {
    this.tokens = SealedTexts.fromFile(environment.SIEGEL_CHALLENGE_KEY_FILE, 'access token');
  }

  @Post('sys/v1/session/auth')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @RouteConfig({ attests: FORTANIX_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: 'Access token for the calling enclave, by its certificate' })
  async authenticate(@Req() request: FastifyRequest) {
    const enrolment = await this.clients.authenticate(request);
    const { tenant, session, certificate } = enrolment;
    const app = applicationId(tenant, session.workload);
    const expected = `Basic ${Buffer.from(`${app}:`).toString('base64')}`;
    if (!same(request.headers.authorization, expected))
      throw refused('APPLICATION_FOREIGN', 'the application id is not that of this enclave');
    await this.release(enrolment, new ConfigurationCarrier(enrolment.configId));
    const exp = Math.floor(Date.now() / 1_000) + TOKEN_SECONDS;
    return {
      token_type: 'Bearer',
      expires_in: TOKEN_SECONDS,
      access_token: this.tokens.seal(JSON.stringify({ certificate, exp })),
      entity_id: app,
    };
  }

  @Post('crypto/v1/keys/export')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @RouteConfig({ attests: FORTANIX_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: 'The credentials of a dataset of the configuration' })
  async export(
    @Body({ schema: ExportRequest, pipes: [schemaPipe('REQUEST_MALFORMED')] })
    { name }: z.infer<typeof ExportRequest>,
    @Req() request: FastifyRequest,
  ) {
    const enrolment = await this.clients.authenticate(request);
    this.requireToken(request.headers.authorization, enrolment);
    const carrier = new DatasetCarrier(enrolment.configId, name);
    const { workload } = await this.release(enrolment, carrier);
    const { tenant } = enrolment;
    const app = applicationId(tenant, workload);
    const at = sdkmsTime(new Date());
    // The members that the client's model demands, and the value.
    return {
      acct_id: accountId(tenant),
      created_at: at,
      creator: { app },
      enabled: true,
      key_ops: ['EXPORT'],
      kid: objectId(tenant, workload, name),
      lastused_at: at,
      name,
      never_exportable: false,
      obj_type: 'SECRET',
      origin: 'External',
      public_only: false,
      value: carrier.value!,
    };
  }

  private release({ tenant, session, key }: Enrolment, carrier: ConfigurationCarrier | DatasetCarrier) {
    return this.pipeline.release({ tenant, protocol: FORTANIX_PROTOCOL, session, key, carrier });
  }

  private requireToken(authorization: string | undefined, { certificate }: Enrolment): void {
    const sealed = /^Bearer ([A-Za-z0-9_.-]{1,1024})$/.exec(authorization ?? '')?.[1];
    const text = sealed === undefined ? undefined : this.tokens.open(sealed);
    if (text === undefined) throw refused('ACCESS_TOKEN_INVALID', 'the access token is not ours');
    const token = AccessToken.parse(JSON.parse(text));
    if (token.certificate !== certificate)
      throw refused('ACCESS_TOKEN_FOREIGN', 'the access token is of another certificate');
    if (token.exp * 1_000 <= Date.now()) throw refused('ACCESS_TOKEN_EXPIRED', 'the access token is over');
  }
}

function same(given: string | undefined, expected: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `20260131T000000Z` */
const sdkmsTime = (date: Date): string => `${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;

const refused = (code: string, message: string): SiegelError =>
  new SiegelError('CLIENT_CERTIFICATE_INVALID', { reason: { code, message } });
