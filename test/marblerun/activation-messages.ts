import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export interface ActivationRequest {
  readonly quote: Uint8Array;
  readonly csr: Uint8Array;
  readonly marbleType: string;
  readonly uuid: string;
}
export interface Parameters {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly env: ReadonlyMap<string, Buffer>;
  readonly argv: readonly string[];
}

/** As a proto3 writer does: what is empty is left out. */
export function encodeRequest({ quote, csr, marbleType, uuid }: ActivationRequest): Buffer {
  const writer = new BinaryWriter();
  if (quote.length > 0) writer.tag(1, WireType.LengthDelimited).bytes(quote);
  if (csr.length > 0) writer.tag(2, WireType.LengthDelimited).bytes(csr);
  if (marbleType !== '') writer.tag(3, WireType.LengthDelimited).string(marbleType);
  if (uuid !== '') writer.tag(4, WireType.LengthDelimited).string(uuid);
  return Buffer.from(writer.finish());
}

export function decodeResponse(message: Uint8Array): Parameters {
  const found = { files: new Map<string, Buffer>(), env: new Map<string, Buffer>(), argv: [] as string[] };
  const response = new BinaryReader(message);
  while (response.pos < response.len) {
    const [field] = response.tag();
    if (field !== 1) throw new Error(`field ${field} of an ActivationResp`);
    const parameters = new BinaryReader(response.bytes());
    while (parameters.pos < parameters.len) {
      const [member] = parameters.tag();
      if (member === 1 || member === 2) readEntry(parameters.bytes(), member === 1 ? found.files : found.env);
      else if (member === 3) found.argv.push(parameters.string(true));
      else throw new Error(`field ${member} of Parameters`);
    }
  }
  return found;
}

function readEntry(bytes: Uint8Array, into: Map<string, Buffer>): void {
  const entry = new BinaryReader(bytes);
  let name = '';
  let value: Uint8Array = new Uint8Array();
  while (entry.pos < entry.len) {
    const [field] = entry.tag();
    if (field === 1) name = entry.string(true);
    else value = entry.bytes();
  }
  if (into.has(name)) throw new Error(`${name} comes twice`);
  into.set(name, Buffer.from(value));
}
