import { decodeGoBase64, GoBase64Error } from './go-base64.js';
import type { JsonMember, JsonNode } from './go-json.js';

/** A value that does not fit its field, in Go's words. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** A member that nothing reads: Go ignores it, a strict reader refuses it. */
export interface UnknownMember {
  /** Names from the top, e.g. `Packages`, `app`. */
  readonly path: readonly string[];
  readonly key: string;
  readonly offset: number;
  readonly candidates: readonly string[];
}

/**
 * Reads Go structures out of JSON: member names in any case, null as absent, byte slices as base64 or as list of numbers. What is unknown is
 * collected, for whoever is stricter than Go.
 */
export class FieldReader {
  readonly unknown: UnknownMember[] = [];

  /** The members of a structure by their canonical names; absent and null ones are not there. @throws FieldError */
  fields<const N extends string>(
    node: JsonNode | undefined,
    path: readonly string[],
    names: readonly N[],
    ignored: readonly string[] = [],
  ): Partial<Record<N, JsonNode>> {
    const found: Partial<Record<N, JsonNode>> = {};
    for (const { key, keyOffset, value } of this.members(node, path, 'struct')) {
      const name =
        names.find((each) => each === key) ?? names.find((each) => each.toLowerCase() === key.toLowerCase());
      if (name === undefined) {
        if (!ignored.some((each) => each.toLowerCase() === key.toLowerCase()))
          this.unknown.push({ path, key, offset: keyOffset, candidates: names });
      } else if (Object.hasOwn(found, name)) {
        throw new FieldError(`duplicate key ${JSON.stringify(key)} (names are read in any case)`, keyOffset);
      } else if (value.kind !== 'null') found[name] = value;
    }
    return found;
  }

  map<T>(
    node: JsonNode | undefined,
    path: readonly string[],
    read: (value: JsonNode, path: readonly string[]) => T,
  ): Map<string, T> {
    return new Map(
      this.members(node, path, 'map').map(({ key, value }) => [key, read(value, [...path, key])] as const),
    );
  }

  list<T>(
    node: JsonNode | undefined,
    path: readonly string[],
    read: (value: JsonNode, path: readonly string[]) => T,
  ): T[] {
    if (node === undefined || node.kind === 'null') return [];
    if (node.kind !== 'array') throw mismatch(node, path, 'slice');
    return node.items.map((item) => read(item, path));
  }

  string(node: JsonNode | undefined, path: readonly string[]): string {
    if (node === undefined || node.kind === 'null') return '';
    if (node.kind !== 'string') throw mismatch(node, path, 'string');
    return node.value;
  }

  strings(node: JsonNode | undefined, path: readonly string[]): string[] {
    return this.list(node, path, (item) => this.string(item, path));
  }

  bool(node: JsonNode | undefined, path: readonly string[]): boolean {
    if (node === undefined || node.kind === 'null') return false;
    if (node.kind !== 'bool') throw mismatch(node, path, 'bool');
    return node.value;
  }

  /** Go's unsigned integers; no fraction, no exponent. */
  unsigned(node: JsonNode | undefined, path: readonly string[], type: UnsignedType): bigint | undefined {
    if (node === undefined || node.kind === 'null') return undefined;
    if (node.kind !== 'number') throw mismatch(node, path, type);
    if (!/^\d+$/.test(node.text) || node.text.length > 20) throw mismatch(node, path, type);
    const value = BigInt(node.text);
    if (value > UNSIGNED[type]) throw mismatch(node, path, type);
    return value;
  }

  /** An unsigned number that is used as a JavaScript number: beyond 2^53 it is refused. */
  count(
    node: JsonNode | undefined,
    path: readonly string[],
    type: UnsignedType = 'uint',
  ): number | undefined {
    const value = this.unsigned(node, path, type);
    if (value === undefined) return undefined;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw mismatch(node as JsonNode, path, type);
    return Number(value);
  }

  bytes(node: JsonNode | undefined, path: readonly string[]): Buffer | undefined {
    if (node === undefined || node.kind === 'null') return undefined;
    if (node.kind === 'array') {
      return Buffer.from(node.items.map((item) => Number(this.unsigned(item, path, 'uint8') ?? 0n)));
    }
    if (node.kind !== 'string') throw mismatch(node, path, '[]uint8');
    try {
      return decodeGoBase64(node.value);
    } catch (error) {
      if (error instanceof GoBase64Error) throw new FieldError(error.message, node.offset);
      throw error;
    }
  }

  private members(
    node: JsonNode | undefined,
    path: readonly string[],
    type: 'struct' | 'map',
  ): readonly JsonMember[] {
    if (node === undefined || node.kind === 'null') return [];
    if (node.kind !== 'object') throw mismatch(node, path, type);
    return node.members;
  }
}

export type UnsignedType = 'uint' | 'uint64' | 'uint16' | 'uint8';
const UNSIGNED: Readonly<Record<UnsignedType, bigint>> = {
  uint: 2n ** 64n - 1n,
  uint64: 2n ** 64n - 1n,
  uint16: 65_535n,
  uint8: 255n,
};

/** `path` begins with the structure: `ManifestSetRequest`, `manifest`. */
export function mismatch(node: JsonNode, path: readonly string[], type: string): FieldError {
  const what =
    node.kind === 'number' && UNSIGNED_NAMES.has(type) ? `number ${node.text.slice(0, 40)}` : node.kind;
  const place = path.length > 1 ? `Go struct field ${path.join('.')}` : 'Go value';
  return new FieldError(`json: cannot unmarshal ${what} into ${place} of type ${type}`, node.offset);
}

const UNSIGNED_NAMES: ReadonlySet<string> = new Set(Object.keys(UNSIGNED));
