import { SiegelError } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { Controller, Get, Header, Param } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CollateralDocument, CollateralReport } from './collateral-report.js';
import { CollateralService } from './collateral.service.js';

/** What collateral this replica holds. Public facts: Intel publishes all of it. */
@ApiTags('collateral')
@Controller('v1/collateral')
export class CollateralController {
  constructor(private readonly collateral: CollateralService) {}

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'List the collateral that this replica verifies with' })
  @ApiOkResponse({ schema: jsonSchemaOf(CollateralReport) })
  report(): CollateralReport {
    return { collateral: this.collateral.report() };
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'Get the bundle that a verdict names, to verify the evidence again without this service',
  })
  @ApiOkResponse({ schema: jsonSchemaOf(CollateralDocument) })
  @ApiNotFoundResponse({ description: 'No longer held: it was replaced or never in force here' })
  bundle(@Param('id') id: string): CollateralDocument {
    const bundle = this.collateral.bundle(id);
    if (bundle === undefined) throw new SiegelError('NOT_FOUND');
    return bundle;
  }
}
