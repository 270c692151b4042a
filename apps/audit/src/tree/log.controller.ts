import { SiegelError } from '#contracts';
import { schemaPipe } from '#platform';
import {
  TileHashSource,
  TransparencyError,
  formatTlogProof,
  formatVerifierKey,
  leafHash,
  parseTilePath,
  peekCheckpoint,
  proveConsistency,
  proveInclusion,
  tilePath,
  decodeEntryBundle,
} from '#transparency';
import { Controller, Get, Header, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { Access } from '../access/access.js';
import { AuditLog } from '../audit-log.js';
import type { OwnLog } from '../own-log.js';
import { PublishedLogs } from './published-logs.js';

const WAIT_FOR_CHECKPOINT_MS = 3_000;
const IMMUTABLE = 'public, max-age=31536000, immutable';
const position = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const InclusionQuery = z
  .strictObject({
    index: position.optional(),
    id: z.uuid().optional().describe('Id of an event, instead of its index'),
    size: position.min(1).optional().describe('Tree to prove for; default: the current checkpoint'),
    format: z.enum(['json', 'tlog-proof']).default('json'),
  })
  .refine(({ index, id }) => (index === undefined) !== (id === undefined), 'exactly one of "index" and "id"')
  .refine(
    ({ size, format }) => size === undefined || format === 'json',
    'a tlog-proof is for the current checkpoint',
  );
const ConsistencyQuery = z.strictObject({ from: position, to: position.optional() });

/**
 * The log as C2SP tlog-tiles has it, and proofs for those who do not compute them from tiles. Checkpoint, hash tiles and
 * proofs are open to everybody: they show no event, and a log is worth something only if anybody can check it. Entry
 * bundles hold the events and need a credential. `/v1/log` is the first log, `/v1/logs/<tenant>` any.
 */
@ApiTags('log')
@Controller()
export class LogController {
  constructor(
    @Inject(AuditLog) private readonly audit: AuditLog,
    @Inject(Access) private readonly access: Access,
    @Inject(PublishedLogs) private readonly logs: PublishedLogs,
  ) {}

  @Get(['v1/log/checkpoint', 'v1/logs/:log/checkpoint'])
  @Header('content-type', 'text/plain; charset=utf-8')
  @Header('cache-control', 'no-cache')
  @ApiOperation({ summary: 'The current signed checkpoint (C2SP tlog-checkpoint)' })
  @ApiProduces('text/plain')
  async checkpoint(@Param('log') name?: string): Promise<string> {
    return this.logs.checkpoint(this.logs.named(name));
  }

  @Get(['v1/log/key', 'v1/logs/:log/key'])
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiOperation({
    summary: 'The verifier key of the log (C2SP signed-note); trust it only from another source',
  })
  @ApiProduces('text/plain')
  key(@Param('log') name?: string): string {
    return `${formatVerifierKey(this.logs.named(name).origin, createPublicKey(this.audit.keys.logKey))}\n`;
  }

  @Get(['v1/log/tile/*', 'v1/logs/:log/tile/*'])
  @ApiOperation({ summary: 'A hash tile, or with a credential an entry bundle (C2SP tlog-tiles)' })
  @ApiProduces('application/octet-stream')
  async tile(
    @Param() parameters: Record<string, string>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const path = `tile/${parameters['*'] ?? ''}`;
    const log = this.logs.named(parameters['log']);
    const tile = this.#parse(path);
    if (tile.level === 'entries') (await this.access.principal(request)).require('entries.read', log.name);
    const bytes = await this.logs.storage(log).read(path);
    if (!bytes) throw new SiegelError('NOT_FOUND', { detail: 'the log has no such tile' });
    await reply
      .header('content-type', 'application/octet-stream')
      .header('cache-control', tile.level === 'entries' ? IMMUTABLE.replace('public', 'private') : IMMUTABLE)
      .send(bytes);
  }

  @Get(['v1/log/proof/inclusion', 'v1/logs/:log/proof/inclusion'])
  @ApiOperation({ summary: 'Proof that an event is in the log, as JSON or as a receipt (C2SP tlog-proof)' })
  async inclusion(
    @Query({ schema: InclusionQuery, pipes: [schemaPipe('QUERY_INVALID')] })
    query: z.infer<typeof InclusionQuery>,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('log') name?: string,
  ): Promise<unknown> {
    const { log, index } = await this.#locate(query, name);
    const wanted = Math.max(index, (query.size ?? 1) - 1);
    if (!(await this.audit.follower.waitPublished(log.id, wanted, WAIT_FOR_CHECKPOINT_MS))) {
      throw new SiegelError('NOT_FOUND', { detail: 'no checkpoint has this entry yet' });
    }
    const checkpoint = await this.logs.checkpoint(log);
    const size = query.size ?? peekCheckpoint(checkpoint).size;
    if (index >= size)
      throw new SiegelError('QUERY_INVALID', { detail: 'the tree of this size has no such index' });
    const hashes = await proveInclusion(new TileHashSource(this.logs.storage(log), size), index, size);
    if (query.format === 'tlog-proof') {
      void reply.header('content-type', 'text/plain; charset=utf-8');
      return formatTlogProof({ index, hashes, checkpoint });
    }
    const leaf = await this.#leafHash(log, index, peekCheckpoint(checkpoint).size);
    return { log: log.origin, index, size, leafHash: leaf.toString('hex'), proof: hex(hashes), checkpoint };
  }

  @Get(['v1/log/proof/consistency', 'v1/logs/:log/proof/consistency'])
  @ApiOperation({ summary: 'Proof that the tree of one size is a prefix of a later one' })
  async consistency(
    @Query({ schema: ConsistencyQuery, pipes: [schemaPipe('QUERY_INVALID')] })
    query: z.infer<typeof ConsistencyQuery>,
    @Param('log') name?: string,
  ): Promise<unknown> {
    const log = this.logs.named(name);
    const checkpoint = await this.logs.checkpoint(log);
    const published = peekCheckpoint(checkpoint).size;
    const to = query.to ?? published;
    if (to > published || query.from > to) {
      throw new SiegelError('QUERY_INVALID', { detail: `sizes must rise and be at most ${published}` });
    }
    const proof = await proveConsistency(new TileHashSource(this.logs.storage(log), to), query.from, to);
    return { log: log.origin, from: query.from, to, proof: hex(proof), checkpoint };
  }

  async #locate(
    query: z.infer<typeof InclusionQuery>,
    name: string | undefined,
  ): Promise<{ log: OwnLog; index: number }> {
    if (query.index !== undefined) return { log: this.logs.named(name), index: query.index };
    await this.audit.follower.waitIndexed(this.audit.sequencer.head, WAIT_FOR_CHECKPOINT_MS);
    const found = await this.audit.reader.call('byId', query.id!);
    const log = this.audit.keys.logs.find(({ origin }) => origin === found?.log);
    if (!found || !log || (name !== undefined && name !== log.name)) {
      throw new SiegelError('NOT_FOUND', { detail: 'no event has this id' });
    }
    return { log, index: found.index };
  }

  /** The leaf hash from the entry itself, so that the answer and the tiles check each other. */
  async #leafHash(log: OwnLog, index: number, size: number): Promise<Buffer> {
    const bundle = Math.floor(index / 256);
    const width = Math.min(256, size - bundle * 256);
    const storage = this.logs.storage(log);
    const partial = await storage.read(tilePath({ level: 'entries', index: bundle, width }));
    const bytes = partial ?? (await storage.read(tilePath({ level: 'entries', index: bundle, width: 256 })));
    if (!bytes) throw new SiegelError('INTERNAL', { cause: new Error(`bundle ${bundle} is missing`) });
    return leafHash(decodeEntryBundle(bytes, partial ? width : 256)[index - bundle * 256]!);
  }

  #parse(path: string): ReturnType<typeof parseTilePath> {
    try {
      return parseTilePath(path);
    } catch (error) {
      if (error instanceof TransparencyError)
        throw new SiegelError('NOT_FOUND', { detail: 'not the path of a tile' });
      throw error;
    }
  }
}

const hex = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('hex'));
