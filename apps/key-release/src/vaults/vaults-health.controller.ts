import { VaultsHealth } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminGuard } from '../admin/admin.guard.js';
import { VaultMonitor } from './vault-monitor.js';

/** The vaults as this service reaches them, with what to do where it does not; what `siegel doctor` prints. */
@ApiTags('administration')
@ApiBearerAuth()
@UseGuards(AdminGuard)
@Controller('v1/vaults')
export class VaultsHealthController {
  constructor(private readonly monitor: VaultMonitor) {}

  @Get('health')
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'Ask every vault now whether it answers to this service' })
  @ApiOkResponse({ schema: jsonSchemaOf(VaultsHealth) })
  health(): Promise<VaultsHealth> {
    return this.monitor.check();
  }
}
