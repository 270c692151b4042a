import { SiegelError } from '#contracts';
import { type CertificateIssuer, SigningKeys } from '#pki';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { MESH_CA } from '../pipeline/certificate-issuance.js';
import { Signers } from '../signing/signers.js';
import { TOKEN_KEYS } from '../session/session-token.js';

/** What relying parties need to check our tokens and certificates: OIDC discovery, JWKS and the mesh root. */
@ApiTags('relying parties')
@Controller()
export class DiscoveryController {
  constructor(
    @Inject(TOKEN_KEYS) private readonly keys: SigningKeys,
    @Inject(MESH_CA) private readonly ca: CertificateIssuer,
    private readonly signers: Signers,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Get('.well-known/openid-configuration')
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({ summary: 'OpenID Connect discovery document' })
  configuration() {
    const issuer = this.environment.SIEGEL_PUBLIC_URL;
    return {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ['token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA'],
      claims_supported: [
        'iss',
        'sub',
        'aud',
        'iat',
        'nbf',
        'exp',
        'jti',
        'cnf',
        'eat_profile',
        'dbgstat',
        'submods',
        'siegel',
      ],
    };
  }

  @Get('.well-known/jwks.json')
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({ summary: 'Keys that sign attestation tokens, with rotation overlap' })
  jwks() {
    return this.keys.jwks(new Date());
  }

  @Get('v1/ca.pem')
  @Header('content-type', 'application/x-pem-file')
  @ApiOperation({ summary: 'Root certificate of the mesh CA; of all its roots while one follows another' })
  root(): string {
    return this.ca.rootPem;
  }

  @Get('v1/token-roots.pem')
  @Header('content-type', 'application/x-pem-file')
  @ApiOperation({ summary: 'Certificates of the vault key to which the x5c of token keys chain' })
  tokenRoots(): string {
    const pem = this.signers.tokenRootsPem();
    if (pem === undefined)
      throw new SiegelError('NOT_FOUND', { detail: 'no vault key certifies token keys here' });
    return pem;
  }
}
