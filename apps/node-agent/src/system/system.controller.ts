import { Controller, Get } from '@nestjs/common';

@Controller('v1/sys')
export class SystemController {
  @Get('version')
  version(): { version: string } {
    return { version: 'siegel-node-agent 0.1.0' };
  }
}
