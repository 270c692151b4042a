import type { Mutation } from './byte-mutations.js';
import type { Random } from './random.js';

/** DER taken apart without any demands on it; contents that are no DER stay as they are. */
interface Node {
  tag: number;
  /** Bytes before nested elements: the unused-bits octet of a BIT STRING. */
  prefix: Buffer;
  children?: Node[];
  value: Buffer;
  /** Written in place of the true length octets. */
  length?: Buffer;
}

const CONSTRUCTED = 0x20;
const MAX_DEPTH = 12;

function readNodes(bytes: Buffer, depth: number): Node[] | undefined {
  const nodes: Node[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] as number;
    let length = bytes[at + 1];
    if (length === undefined) return undefined;
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3 || start + count > bytes.length) return undefined;
      length = bytes.readUIntBE(start, count);
      start += count;
    }
    if (start + length > bytes.length) return undefined;
    nodes.push(readNode(tag, bytes.subarray(start, start + length), depth));
    at = start + length;
  }
  return nodes;
}

function readNode(tag: number, value: Buffer, depth: number): Node {
  const wraps = (tag & CONSTRUCTED) !== 0 || tag === 0x04;
  const bits = tag === 0x03 && value[0] === 0 && value[1] === 0x30;
  const prefix = bits ? value.subarray(0, 1) : Buffer.alloc(0);
  const inner = value.subarray(prefix.length);
  const children =
    depth < MAX_DEPTH && (wraps || bits) && inner.length > 0 ? readNodes(inner, depth + 1) : undefined;
  return { tag, prefix, value, ...(children === undefined ? {} : { children }) };
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([0x80 | octets.length]), octets]);
}

function write(node: Node): Buffer {
  const contents =
    node.children === undefined ? node.value : Buffer.concat([node.prefix, ...node.children.map(write)]);
  return Buffer.concat([Buffer.from([node.tag]), node.length ?? lengthOctets(contents.length), contents]);
}

function flatten(
  nodes: Node[],
  into: { node: Node; siblings: Node[] }[] = [],
): { node: Node; siblings: Node[] }[] {
  for (const node of nodes) {
    into.push({ node, siblings: nodes });
    if (node.children !== undefined) flatten(node.children, into);
  }
  return into;
}

const WRONG_LENGTHS = [
  '80',
  '00',
  '7f',
  '8100',
  '81ff',
  '820001',
  '83000001',
  '84ffffffff',
  '88ffffffffffffffff',
  'ff',
];
const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x17, 0x18, 0x1f, 0x24, 0x30, 0x31, 0x80, 0x86, 0xa0,
  0xa3, 0xbf,
];

type NodeEdit = (target: { node: Node; siblings: Node[] }, all: { node: Node }[], random: Random) => void;
const setValue = (node: Node, value: Buffer): void => {
  delete node.children;
  node.value = value;
};

const EDITS: NodeEdit[] = [
  ({ node }, _, random) => (node.tag = random.pick(TAGS)),
  ({ node }, _, random) => (node.length = Buffer.from(random.pick(WRONG_LENGTHS), 'hex')),
  ({ node }) => setValue(node, Buffer.alloc(0)),
  ({ node }, _, random) => setValue(node, random.bytes(random.smallLength(64))),
  ({ node }, _, random) => {
    const value = Buffer.from(node.value);
    if (value.length > 0) value[random.below(value.length)] = random.below(256);
    setValue(node, value);
  },
  ({ node }, _, random) =>
    setValue(node, Buffer.concat([random.chance(2) ? Buffer.alloc(1) : Buffer.alloc(1, 0xff), node.value])),
  ({ node, siblings }) => siblings.splice(siblings.indexOf(node), 1),
  ({ node, siblings }, _, random) => {
    const copies = Array<Node>(random.chance(20) ? 500 : 1 + random.below(3)).fill(node);
    siblings.splice(siblings.indexOf(node), 0, ...copies);
  },
  ({ node, siblings }, _, random) => {
    const at = siblings.indexOf(node);
    const to = random.below(siblings.length);
    [siblings[at], siblings[to]] = [siblings[to] as Node, node];
  },
  ({ node, siblings }, all, random) => (siblings[siblings.indexOf(node)] = random.pick(all).node),
  ({ node, siblings }, _, random) => {
    let nested = node;
    for (let depth = random.pick([1, 2, 8, 13, 100, 1000]); depth > 0; depth--) {
      nested = { tag: random.pick([0x30, 0x31, 0xa0, 0x04]), prefix: Buffer.alloc(0), value: write(nested) };
    }
    siblings[siblings.indexOf(node)] = nested;
  },
];

/** Changes elements and fits the lengths around them, so that the change is reached and not the container refused. */
export const mutateDer: Mutation = (input, other, random) => {
  const tree = readNodes(input, 0);
  if (tree === undefined || tree.length === 0)
    return Buffer.concat([input, other.subarray(0, random.below(16))]);
  const foreign = random.chance(3) ? flatten(readNodes(other, 0) ?? []) : [];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const all = flatten(tree);
    if (all.length === 0) break;
    // The random element may be one inside of itself: its copy must not contain the place where it goes.
    random.pick(EDITS)(
      random.pick(all),
      (foreign.length > 0 ? foreign : all).map(({ node }) => ({ node: structuredCopy(node) })),
      random,
    );
  }
  return Buffer.concat(tree.map(write));
};

const structuredCopy = (node: Node): Node => ({
  ...node,
  ...(node.children === undefined ? {} : { children: node.children.map(structuredCopy) }),
});
