import { SiegelError } from '#contracts';
import { Inject, Injectable } from '@nestjs/common';
import { AuditLog } from '../audit-log.js';
import type { OwnLog } from '../own-log.js';
import { CHECKPOINT, type TileStore, openTileStore } from './tile-store.js';

/** The logs as they are published: tiles and checkpoint on the disk. */
@Injectable()
export class PublishedLogs {
  private readonly stores = new Map<string, TileStore>();

  constructor(@Inject(AuditLog) private readonly audit: AuditLog) {}

  /** The log of this name, the first one without a name. @throws SiegelError NOT_FOUND */
  named(name: string | undefined): OwnLog {
    const { logs } = this.audit.keys;
    const log = name === undefined ? logs[0] : logs.find((own) => own.name === name);
    if (!log) throw new SiegelError('NOT_FOUND', { detail: 'there is no such log' });
    return log;
  }

  storage(log: OwnLog): TileStore {
    const known = this.stores.get(log.name) ?? openTileStore(this.audit.tiles, log);
    this.stores.set(log.name, known);
    return known;
  }

  /** The signed note; what witnesses added to it may come a moment later. @throws SiegelError NOT_FOUND */
  async checkpoint(log: OwnLog): Promise<string> {
    const note = await this.storage(log).read(CHECKPOINT);
    if (!note) throw new SiegelError('NOT_FOUND', { detail: 'the log has no checkpoint yet' });
    return note.toString('utf8');
  }
}
