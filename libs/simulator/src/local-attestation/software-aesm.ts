import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { QE_MRSIGNER } from '../tcb-documents.js';
import { QE_REPORT_INFO_BYTES, type SoftwareQuotingEnclave } from './software-quoting-enclave.js';

/** `aesm_error_t`: what is used here. */
const SUCCESS = 0;
const PARAMETER_ERROR = 2;
/** A quote cannot be made from this REPORT. */
const UNEXPECTED = 1;

const INIT_QUOTE_EX = 15;
const GET_QUOTE_SIZE_EX = 16;
const GET_QUOTE_EX = 17;
const UNSUPPORTED = 20;
const GET_KEY_ID_NUM = 21;
const GET_KEY_IDS = 22;
const KEY_ID_BYTES = 256;

type Fields = ReadonlyMap<number, number | Buffer>;
export type AesmCall = 'initQuoteEx' | 'getQuoteSizeEx' | 'getQuoteEx' | 'keyIdNumber' | 'keyIds' | 'other';

export interface SoftwareAesmOptions {
  /** Looks at each answer before it leaves, and may change, replace or delay it. Undefined: the connection closes without one. */
  readonly tamper?: (call: AesmCall, answer: Buffer) => Promise<Buffer | undefined> | Buffer | undefined;
  /** Bytes by which buffers are longer than the quotes in them, as Intel's are; the quote's hash covers what is asked for. */
  readonly slack?: number;
}

/**
 * Intel's aesmd as far as quoting goes: a Unix socket, one request per connection, each message behind its length (4 bytes, little-endian
 * here) and encoded as `aesm.message.Request` and `Response` (linux-sgx, messages.proto, protobuf 2).
 */
export class SoftwareAesm {
  readonly calls: AesmCall[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly path: string,
    private readonly server: Server,
    private readonly qe: SoftwareQuotingEnclave,
    public options: SoftwareAesmOptions,
  ) {}

  static async listen(
    path: string,
    qe: SoftwareQuotingEnclave,
    options: SoftwareAesmOptions = {},
  ): Promise<SoftwareAesm> {
    const server = createServer();
    const aesm = new SoftwareAesm(path, server, qe, options);
    server.on('connection', (socket) => {
      aesm.sockets.add(socket);
      socket.on('close', () => aesm.sockets.delete(socket)).on('error', () => undefined);
      aesm.serve(socket);
    });
    server.listen(path);
    await once(server, 'listening');
    return aesm;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private serve(socket: Socket): void {
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readUInt32LE(0)) return;
      socket.removeAllListeners('data');
      void this.respond(socket, received.subarray(4, 4 + received.readUInt32LE(0)));
    });
  }

  private async respond(socket: Socket, request: Buffer): Promise<void> {
    const [call, answer] = this.answer(request);
    this.calls.push(call);
    const { tamper } = this.options;
    const sent = tamper ? await tamper(call, answer) : answer;
    if (sent === undefined) {
      socket.destroy();
      return;
    }
    const length = Buffer.alloc(4);
    length.writeUInt32LE(sent.length);
    socket.end(Buffer.concat([length, sent]));
  }

  private answer(request: Buffer): [AesmCall, Buffer] {
    const outer = fieldsOf(request);
    const [[which, inner]] = [...outer] as [[number, Buffer]];
    const fields = fieldsOf(inner);
    switch (which) {
      case GET_KEY_ID_NUM:
        return ['keyIdNumber', respond(which, [[2, 2]])];
      case GET_KEY_IDS:
        return ['keyIds', respond(which, [[2, Buffer.concat([keyId(0), keyId(2)])]])];
      case INIT_QUOTE_EX:
        if (fields.get(3) !== 1) return ['initQuoteEx', respond(which, [[3, 32]])];
        return [
          'initQuoteEx',
          respond(which, [
            [2, this.qe.targetInfo],
            [3, 32],
            [4, Buffer.alloc(32, 1)],
          ]),
        ];
      case GET_QUOTE_SIZE_EX:
        return ['getQuoteSizeEx', respond(which, [[2, this.qe.quoteSize + (this.options.slack ?? 0)]])];
      case GET_QUOTE_EX:
        return ['getQuoteEx', this.quote(fields)];
      default:
        return ['other', respond(UNSUPPORTED, [], PARAMETER_ERROR)];
    }
  }

  private quote(fields: Fields): Buffer {
    const report = fields.get(1);
    const info = fields.get(3);
    const size = fields.get(4);
    if (!(report instanceof Buffer) || report.length !== 432 || typeof size !== 'number')
      return respond(GET_QUOTE_EX, [], PARAMETER_ERROR);
    const quote = this.qe.quote(report);
    if (quote === undefined || size < quote.length) return respond(GET_QUOTE_EX, [], UNEXPECTED);
    const buffer = Buffer.alloc(size);
    quote.copy(buffer);
    // QE3 hashes the quote that it needs, not the buffer that it was given.
    if (!(info instanceof Buffer)) return respond(GET_QUOTE_EX, [[2, buffer]]);
    if (info.length !== QE_REPORT_INFO_BYTES) return respond(GET_QUOTE_EX, [], PARAMETER_ERROR);
    return respond(GET_QUOTE_EX, [
      [2, buffer],
      [3, this.qe.answer(info, quote)],
    ]);
  }
}

/** `sgx_att_key_id_ext_t` of EPID (0) or of ECDSA on P-256 (2). */
function keyId(algorithm: 0 | 2): Buffer {
  const id = Buffer.alloc(KEY_ID_BYTES);
  id.writeUInt16LE(32, 4);
  Buffer.from(QE_MRSIGNER.sgx, 'hex').copy(id, 6);
  id.writeUInt32LE(1, 54);
  id.writeUInt32LE(algorithm, 154);
  return id;
}

function respond(which: number, fields: readonly [number, number | Buffer][], errorCode = SUCCESS): Buffer {
  const writer = new BinaryWriter().tag(which, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).uint32(errorCode);
  for (const [field, value] of fields) {
    if (typeof value === 'number') writer.tag(field, WireType.Varint).uint32(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  return Buffer.from(writer.join().finish());
}

function fieldsOf(message: Uint8Array): Fields {
  const reader = new BinaryReader(message);
  const fields = new Map<number, number | Buffer>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) fields.set(field, Number(reader.uint64()));
    else if (type === WireType.LengthDelimited) fields.set(field, Buffer.from(reader.bytes()));
    else reader.skip(type, field);
  }
  return fields;
}
