import { SiegelError } from '#contracts';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import type { ProvisioningAuthority } from './provisioning-authority.js';
import { PROVISIONING_AUTHORITY } from './provisioning-listener.js';

/** The root that Gramine manifests name as a trusted file. */
@ApiTags('enclaves')
@Controller('v1/gramine')
export class AuthorityController {
  constructor(
    @Inject(PROVISIONING_AUTHORITY) private readonly authority: ProvisioningAuthority | undefined,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Get('ca')
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({ summary: 'Root of the Secret Provisioning servers, for SECRET_PROVISION_CA_CHAIN_PATH' })
  ca(): { pem: string; sha256: string; notAfter: string; port: number } {
    if (!this.authority)
      throw new SiegelError('NOT_FOUND', { detail: 'Secret Provisioning is off; set SIEGEL_GRAMINE_PORT' });
    return { ...this.authority.root, port: this.environment.SIEGEL_GRAMINE_PORT };
  }
}
