import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** `rpc.ActivationReq`; source: reference marblerun.md §2.1. */
export interface ActivationRequest {
  /** Open Enclave report or bare quote; empty in simulation. */
  readonly quote: Uint8Array;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  readonly marbleType: string;
  /** As written. */
  readonly uuid: string;
}

/** `rpc.Parameters`. */
export interface MarbleParameters {
  readonly files: readonly (readonly [path: string, content: Uint8Array])[];
  readonly env: readonly (readonly [name: string, value: Uint8Array])[];
  readonly argv: readonly string[];
}

/** Bytes that are no ActivationReq. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

const EMPTY: Uint8Array = new Uint8Array();
/** Groups inside of unknown fields. */
const MAX_DEPTH = 32;

/** The last value of each field counts; unknown fields are passed over. @throws MalformedMessage */
export function decodeActivationRequest(message: Uint8Array): ActivationRequest {
  const found = { quote: EMPTY, csr: EMPTY, marbleType: '', uuid: '' };
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      const known = type === WireType.LengthDelimited;
      if (known && field === 1) found.quote = reader.bytes();
      else if (known && field === 2) found.csr = reader.bytes();
      else if (known && field === 3) found.marbleType = reader.string(true);
      else if (known && field === 4) found.uuid = reader.string(true);
      else reader.skip(type, field, MAX_DEPTH);
    }
    if (reader.pos !== reader.len) throw new RangeError('premature end');
  } catch (cause) {
    throw new MalformedMessage('cannot parse invalid wire-format data', { cause });
  }
  return found;
}

/** `rpc.ActivationResp` with its one field. */
export function encodeActivationResponse({ files, env, argv }: MarbleParameters): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  for (const [field, entries] of [
    [1, files],
    [2, env],
  ] as const)
    for (const [name, value] of entries) {
      writer.tag(field, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(name);
      writer.tag(2, WireType.LengthDelimited).bytes(value);
      writer.join();
    }
  for (const argument of argv) writer.tag(3, WireType.LengthDelimited).string(argument);
  return writer.join().finish();
}
