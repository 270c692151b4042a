import { SiegelError } from '#contracts';
import { Controller, Get, Header, Inject, Optional, Param } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AuditLog } from '../audit-log.js';
import { LogDelegations } from './log-delegations.js';

/** By which authority the log's key is the log's; open to everybody, as the checkpoints are. */
@ApiTags('log')
@Controller()
export class DelegationController {
  constructor(
    @Inject(AuditLog) private readonly audit: AuditLog,
    @Optional() @Inject(LogDelegations) private readonly delegations: LogDelegations | undefined,
  ) {}

  @Get(['v1/log/delegation', 'v1/logs/:log/delegation'])
  @Header('cache-control', 'no-cache')
  @ApiOperation({
    summary: 'Delegations of the log key by a Key Vault key (JWS, ES256); pin the vault key, not this answer',
  })
  delegation(@Param('log') name?: string) {
    const { logs } = this.audit.keys;
    const log = name === undefined ? logs[0] : logs.find((own) => own.name === name);
    if (!log) throw new SiegelError('NOT_FOUND', { detail: 'there is no such log' });
    if (!this.delegations)
      throw new SiegelError('NOT_FOUND', { detail: 'no vault key delegates to this log' });
    const delegations = this.delegations.of(log.origin, new Date());
    if (delegations.length === 0)
      throw new SiegelError('NOT_FOUND', {
        detail: 'no delegation holds now: the vault key could not sign one',
      });
    return { log: log.origin, delegations };
  }
}
