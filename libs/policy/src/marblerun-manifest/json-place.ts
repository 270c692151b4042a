import type { JsonMember, JsonNode } from './go-json.js';

/** Where a path leads in a manifest's text, in UTF-16 units. */
export interface JsonPlace {
  /** Of the key of the deepest member that is there; of the whole value where none is. */
  readonly keyOffset: number;
  /** The value; undefined where the path leads out of the document. */
  readonly node: JsonNode | undefined;
}

/** Follows names as they were written, or in another case where Go takes those too. */
export function placeOf(root: JsonNode, path: readonly string[]): JsonPlace {
  let node = root;
  let keyOffset = root.offset;
  for (const name of path) {
    const member = memberOf(node, name);
    if (!member) return { keyOffset, node: undefined };
    keyOffset = member.keyOffset;
    node = member.value;
  }
  return { keyOffset, node };
}

function memberOf(node: JsonNode, name: string): JsonMember | undefined {
  if (node.kind !== 'object') return undefined;
  const folded = name.toLowerCase();
  return (
    node.members.find(({ key }) => key === name) ??
    node.members.find(({ key }) => key.toLowerCase() === folded)
  );
}

/**
 * Where an octet of a parameter's data stands in the text: a text, or `{Data, Encoding}`. What is encoded has only a beginning.
 * @param at octets of UTF-8 from the beginning of the data
 */
export function placeInData(text: string, value: JsonNode, at: number | undefined): number {
  const data = value.kind === 'object' ? (memberOf(value, 'Data')?.value ?? value) : value;
  const encoding = memberOf(value, 'Encoding')?.value;
  const plain = encoding?.kind !== 'string' || ['', 'string'].includes(encoding.value.toLowerCase());
  if (data.kind !== 'string' || at === undefined || !plain) return data.offset;
  const before = Buffer.from(data.value, 'utf8').subarray(0, at).toString('utf8').length;
  let offset = data.offset + 1;
  for (let unit = 0; unit < before; unit++)
    offset += text[offset] !== '\\' ? 1 : text[offset + 1] === 'u' ? 6 : 2;
  return offset;
}
