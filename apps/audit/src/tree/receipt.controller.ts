import { SiegelError } from '#contracts';
import { schemaPipe } from '#platform';
import {
  TileHashSource,
  cosignatureVerifier,
  formatTlogProof,
  openNote,
  parseVerifierKey,
  peekCheckpoint,
  proveInclusion,
  type NoteVerifier,
} from '#transparency';
import { Controller, Get, Header, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from '../audit-environment.js';
import { AuditLog } from '../audit-log.js';
import type { OwnLog } from '../own-log.js';
import { PublishedLogs } from './published-logs.js';
import { parseWitnesses } from './witness-client.js';

/** Time that a caller is kept waiting beside the checkpoint interval, in milliseconds. */
const MARGIN_MS = 1_000;
const LONGEST_WAIT_MS = 5_000;
const WAIT_FOR_INDEX_MS = 3_000;

const ReceiptQuery = z
  .strictObject({
    index: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
    id: z.uuid().optional().describe('Id of an event, instead of its index'),
    leaf: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .describe('Leaf hash (as in the promise), instead of the index'),
    witnesses: z.coerce
      .number()
      .int()
      .min(0)
      .max(16)
      .default(0)
      .describe('Cosignatures that the checkpoint must carry'),
  })
  .refine(
    ({ index, id, leaf }) => [index, id, leaf].filter((given) => given !== undefined).length === 1,
    'exactly one of "index", "id" and "leaf"',
  );

/**
 * Receipts: inclusion proof and signed checkpoint in one text that anybody can verify offline, with the log's key alone.
 * Open to everybody: a receipt shows no event, and whoever holds a promise must be able to see it kept.
 */
@ApiTags('log')
@Controller()
export class ReceiptController {
  private readonly witnesses: readonly NoteVerifier[];
  private readonly waitMs: number;

  constructor(
    @Inject(AuditLog) private readonly audit: AuditLog,
    @Inject(PublishedLogs) private readonly logs: PublishedLogs,
    @Inject(AUDIT_ENVIRONMENT) environment: AuditEnvironment,
  ) {
    this.witnesses = parseWitnesses(environment.SIEGEL_AUDIT_WITNESSES).map(({ vkey }) => {
      const { name, publicKey } = parseVerifierKey(vkey);
      return cosignatureVerifier(name, publicKey);
    });
    this.waitMs = Math.min(environment.SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS + MARGIN_MS, LONGEST_WAIT_MS);
  }

  @Get(['v1/log/receipt', 'v1/logs/:log/receipt'])
  @Header('content-type', 'text/plain; charset=utf-8')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary:
      'Receipt (C2SP tlog-proof) of an entry; 425 RECEIPT_NOT_READY until a checkpoint covers it, after waiting for one',
  })
  @ApiProduces('text/plain')
  async receipt(
    @Query({ schema: ReceiptQuery, pipes: [schemaPipe('QUERY_INVALID')] })
    query: z.infer<typeof ReceiptQuery>,
    @Param('log') name?: string,
  ): Promise<string> {
    const { log, index } = await this.locate(query, name);
    const deadline = Date.now() + this.waitMs;
    if (!(await this.audit.follower.waitPublished(log.id, index, this.waitMs))) {
      throw new SiegelError('RECEIPT_NOT_READY', { detail: `no checkpoint covers the index ${index} yet` });
    }
    const checkpoint = await this.cosigned(log, query.witnesses, deadline);
    const { size } = peekCheckpoint(checkpoint);
    const hashes = await proveInclusion(new TileHashSource(this.logs.storage(log), size), index, size);
    return formatTlogProof({ index, hashes, checkpoint });
  }

  /** The checkpoint once it carries that many cosignatures. */
  private async cosigned(log: OwnLog, wanted: number, deadline: number): Promise<string> {
    for (;;) {
      // Listening comes first: what is published between reading and waiting would be missed.
      const next = this.audit.follower.nextCosigned(log.id, deadline - Date.now());
      const note = await this.logs.checkpoint(log);
      if (wanted === 0 || this.count(note) >= wanted) {
        next.cancel();
        return note;
      }
      if (!(await next.happened)) {
        throw new SiegelError('RECEIPT_NOT_READY', {
          detail: `the checkpoint has ${this.count(note)} of ${wanted} cosignatures`,
        });
      }
    }
  }

  private count(note: string): number {
    // This file is our own: a note without any known witness is the only way to fail.
    try {
      return openNote(note, this.witnesses).verified.length;
    } catch {
      return 0;
    }
  }

  private async locate(
    query: z.infer<typeof ReceiptQuery>,
    name: string | undefined,
  ): Promise<{ log: OwnLog; index: number }> {
    if (query.index !== undefined) return { log: this.logs.named(name), index: query.index };
    await this.audit.follower.waitIndexed(this.audit.sequencer.head, WAIT_FOR_INDEX_MS);
    const found =
      query.id === undefined
        ? await this.audit.reader.call('byLeaf', query.leaf!)
        : await this.audit.reader.call('byId', query.id);
    const log = this.audit.keys.logs.find(({ origin }) => origin === found?.log);
    if (!found || !log || (name !== undefined && name !== log.name)) {
      throw new SiegelError('NOT_FOUND', { detail: 'the log has no such entry' });
    }
    return { log, index: found.index };
  }
}
