import { SiegelError } from '#contracts';
import type { FortanixConfiguration } from '#policy';
import { Controller, Get, Header, Inject, Param, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { AttestingRoute } from '../../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import type { Enrolment } from '../enrolment/enrolments.js';
import { FORTANIX_PROTOCOL } from '../protocol.js';
import { ConfigurationCarrier } from './configuration-carrier.js';
import { EnrolledClients } from './enrolled-client.js';
import { applicationId } from './identifiers.js';

const PATHS = ['api/v1/confidential_computing/runtime/app_configs', 'v1/runtime/app_configs'];

/** Application configurations as em-client asks for them, on its present and its former path. */
@ApiTags('enclaves')
@Controller(PATHS)
export class AppConfigController {
  constructor(
    private readonly clients: EnrolledClients,
    private readonly pipeline: ReleasePipeline,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Header('content-type', 'application/json')
  @RouteConfig({ attests: FORTANIX_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: 'The configuration that the enclave was started with' })
  async own(@Req() request: FastifyRequest): Promise<string> {
    return this.serve(await this.clients.authenticate(request));
  }

  @Get(':config')
  @Header('cache-control', 'no-store')
  @Header('content-type', 'application/json')
  @RouteConfig({ attests: FORTANIX_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: 'The same, by its identifier' })
  async named(@Req() request: FastifyRequest, @Param('config') config: string): Promise<string> {
    const enrolment = await this.clients.authenticate(request);
    if (config.toLowerCase() !== enrolment.configId) {
      throw new SiegelError('CONFIGURATION_NOT_ALLOWED', {
        reason: {
          code: 'CONFIGURATION_FOREIGN',
          message: 'the enclave was started with another configuration',
        },
      });
    }
    return this.serve(enrolment);
  }

  private async serve({ tenant, session, key, configId }: Enrolment): Promise<string> {
    const carrier = new ConfigurationCarrier(configId);
    const { workload } = await this.pipeline.release({
      tenant,
      protocol: FORTANIX_PROTOCOL,
      session,
      key,
      carrier,
    });
    const { text, connections } = carrier.configuration!;
    const extra = { connections: this.connections(connections, applicationId(tenant, workload)) };
    // The hashed part goes out as the very text that was hashed.
    return `{"config":${text},"extra":${JSON.stringify(extra)}}`;
  }

  private connections(listed: FortanixConfiguration['connections'], app: string): object {
    const ports: Record<string, Record<string, object>> = {};
    for (const { port, name, dataset, application } of listed) {
      const entry = (ports[port] ??= {});
      if (application) entry[name] = { application: { workflow_domain: application.workflowDomain } };
      if (!dataset) continue;
      const sdkms = {
        credentials_url: this.environment.SIEGEL_PUBLIC_URL,
        credentials_key_name: dataset.secret.objectAlias,
        sdkms_app_id: app,
      };
      entry[name] = { dataset: { location: dataset.location, credentials: { sdkms } } };
    }
    return ports;
  }
}
