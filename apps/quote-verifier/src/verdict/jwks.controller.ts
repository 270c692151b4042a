import type { LocalSigner } from '#pki';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { VERDICT_KEY } from './verdict-key.js';

/** The public part of the verdict key (RFC 7517), for whoever checks verdicts without the trust file. */
@ApiTags('keys')
@Controller('.well-known')
export class JwksController {
  constructor(@Inject(VERDICT_KEY) private readonly key: LocalSigner) {}

  @Get('jwks.json')
  @Header('cache-control', 'public, max-age=300')
  @ApiOperation({ summary: 'Get the public key that signs verdicts, as a JWK set' })
  jwks(): { keys: unknown[] } {
    return { keys: [this.key.jwk()] };
  }
}
