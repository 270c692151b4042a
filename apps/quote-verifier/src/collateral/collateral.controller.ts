import { Controller, Get, Header } from '@nestjs/common';
import { CollateralService, type HeldEpoch } from './collateral.service.js';

/** What collateral this replica holds. Public facts: Intel publishes all of it. */
@Controller('v1/collateral')
export class CollateralController {
  constructor(private readonly collateral: CollateralService) {}

  @Get()
  @Header('cache-control', 'no-store')
  summary(): { collateral: HeldEpoch[] } {
    return { collateral: this.collateral.summary() };
  }
}
