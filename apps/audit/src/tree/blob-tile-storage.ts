import { TransparencyError } from '#transparency';
import type { ContainerClient } from '@azure/storage-blob';
import { FencedError } from '../store/fenced-error.js';
import { CHECKPOINT, type TileStore } from './tile-store.js';

const NOT_FOUND = 404;
const CONFLICT = 409;
const PRECONDITION_FAILED = 412;
const TERM = 'siegelterm';
const MAX_BLOB_BYTES = 32 * 1024 * 1024;
const TILE_HEADERS = {
  blobContentType: 'application/octet-stream',
  blobCacheControl: 'private, max-age=31536000, immutable',
};
const CHECKPOINT_HEADERS = { blobContentType: 'text/plain; charset=utf-8', blobCacheControl: 'no-cache' };

/**
 * Tiles as blobs. A tile is put where there is none (`If-None-Match: *`), so it can never be changed: one that is there must have the
 * same bytes, as it has when a crash, or an answer that was lost, made us write it again. The checkpoint is replaced by
 * compare-and-swap on its ETag, so that of two writers the second one loses, whatever it believes.
 *
 * A claim writes the term into the checkpoint's metadata, which gives it another ETag: a former holder's next checkpoint is refused.
 * Its tiles cannot be, as no condition of one blob speaks of another; they are functions of committed entries alone, hence the same
 * bytes, and nothing refers to them before a checkpoint does.
 */
export class BlobTileStorage implements TileStore {
  #container: Promise<ContainerClient> | undefined;
  /** ETag of the checkpoint that we read or wrote last; null: there was none. */
  #etag: string | null | undefined;
  #term: number | undefined;

  constructor(
    private readonly open: () => Promise<ContainerClient>,
    /** Ends in a slash. */
    private readonly prefix: string,
  ) {}

  async read(path: string): Promise<Buffer | undefined> {
    const found = await this.#download(path);
    if (path === CHECKPOINT && this.#term === undefined) this.#etag = found?.etag ?? null;
    // What a claim left where no checkpoint was yet is none.
    return found && (path !== CHECKPOINT || found.bytes.length > 0) ? found.bytes : undefined;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return path === CHECKPOINT ? this.#writeCheckpoint(body) : this.#writeTile(path, body);
  }

  async claim(term: number): Promise<void> {
    const blob = (await this.#client()).getBlockBlobClient(this.prefix + CHECKPOINT);
    const found = await this.#download(CHECKPOINT);
    if (found && Number(found.term ?? 0) >= term)
      throw new FencedError(`the tiles were claimed for the term ${found.term} already`);
    try {
      const { etag } = found
        ? await blob.setMetadata({ [TERM]: String(term) }, { conditions: { ifMatch: found.etag } })
        : await blob.upload('', 0, {
            conditions: { ifNoneMatch: '*' },
            metadata: { [TERM]: String(term) },
            blobHTTPHeaders: CHECKPOINT_HEADERS,
          });
      this.#etag = etag!;
      this.#term = term;
    } catch (error) {
      throw lost(error) ? new FencedError('another claim was faster', { cause: error }) : error;
    }
  }

  async removePartials(path: string): Promise<void> {
    const container = await this.#client();
    for await (const { name } of container.listBlobsFlat({ prefix: `${this.prefix}${path}.p/` }))
      await container.getBlobClient(name).deleteIfExists();
  }

  async #writeTile(path: string, bytes: Buffer): Promise<void> {
    const blob = (await this.#client()).getBlockBlobClient(this.prefix + path);
    try {
      await blob.upload(bytes, bytes.length, {
        conditions: { ifNoneMatch: '*' },
        blobHTTPHeaders: TILE_HEADERS,
      });
    } catch (error) {
      if (!lost(error)) throw error;
      const known = await this.#download(path);
      if (!known?.bytes.equals(bytes))
        throw new TransparencyError(
          'TREE_INCONSISTENT',
          `${path} is there with other bytes; tiles are immutable`,
        );
    }
  }

  async #writeCheckpoint(bytes: Buffer): Promise<void> {
    if (this.#etag === undefined) await this.read(CHECKPOINT);
    const blob = (await this.#client()).getBlockBlobClient(this.prefix + CHECKPOINT);
    const etag = this.#etag;
    try {
      const written = await blob.upload(bytes, bytes.length, {
        conditions: etag ? { ifMatch: etag } : { ifNoneMatch: '*' },
        blobHTTPHeaders: CHECKPOINT_HEADERS,
        ...(this.#term === undefined ? {} : { metadata: { [TERM]: String(this.#term) } }),
      });
      this.#etag = written.etag!;
    } catch (error) {
      if (!lost(error)) throw error;
      // Our own write whose answer was lost looks like somebody else's, but for its bytes and its term.
      const now = await this.#download(CHECKPOINT);
      if (
        now?.bytes.equals(bytes) &&
        now.term === (this.#term === undefined ? undefined : String(this.#term))
      ) {
        this.#etag = now.etag;
        return;
      }
      throw new FencedError('the checkpoint was written by another process', { cause: error });
    }
  }

  async #download(
    path: string,
  ): Promise<{ bytes: Buffer; etag: string; term: string | undefined } | undefined> {
    const blob = (await this.#client()).getBlockBlobClient(this.prefix + path);
    try {
      const answer = await blob.download();
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer.readableStreamBody as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BLOB_BYTES) throw new TransparencyError('TILE_MALFORMED', `${path} is too large`);
        chunks.push(chunk);
      }
      // A body that broke off is no tile.
      if (size !== answer.contentLength) throw new Error(`${path}: the answer broke off`);
      return { bytes: Buffer.concat(chunks), etag: answer.etag!, term: answer.metadata?.[TERM] };
    } catch (error) {
      if (statusOf(error) === NOT_FOUND && codeOf(error) === 'BlobNotFound') return undefined;
      throw error;
    }
  }

  #client(): Promise<ContainerClient> {
    this.#container ??= this.open().catch((error: unknown) => {
      this.#container = undefined;
      throw error;
    });
    return this.#container;
  }
}

const statusOf = (error: unknown): unknown => (error as { statusCode?: unknown } | null)?.statusCode;
const codeOf = (error: unknown): unknown =>
  (error as { code?: unknown; details?: { errorCode?: unknown } } | null)?.code ??
  (error as { details?: { errorCode?: unknown } } | null)?.details?.errorCode;

/** The condition did not hold. */
const lost = (error: unknown): boolean =>
  statusOf(error) === PRECONDITION_FAILED ||
  (statusOf(error) === CONFLICT && codeOf(error) === 'BlobAlreadyExists');
