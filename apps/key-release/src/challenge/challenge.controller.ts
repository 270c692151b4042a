import { ChallengeResponse } from '#contracts';
import { ChallengeMinter } from '#pki';
import { jsonSchemaOf } from '#platform';
import { Controller, Header, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CHALLENGES } from '../pipeline/challenges.token.js';

@ApiTags('enclaves')
@Controller('v1')
export class ChallengeController {
  constructor(@Inject(CHALLENGES) private readonly challenges: ChallengeMinter) {}

  /** Stateless: any replica checks what another minted. */
  @Post('challenge')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'A nonce to be bound into report_data, where the manifest asks for one' })
  @ApiOkResponse({ schema: jsonSchemaOf(ChallengeResponse) })
  challenge(): ChallengeResponse {
    const { challenge, expiresAt } = this.challenges.mint(new Date());
    return { challenge, expiresAt: expiresAt.toISOString() };
  }
}
