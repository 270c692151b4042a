/** One DER element: its tag, its content and all its bytes. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context0Primitive: 0x80,
} as const;

const MAX_ELEMENTS = 1_000;

/** The elements of a constructed value. Definite lengths only, up to 4 length bytes. @throws Error */
export function derElements(bytes: Uint8Array): DerElement[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: DerElement[] = [];
  for (let offset = 0; offset < buffer.length;) {
    if (elements.length >= MAX_ELEMENTS) throw new Error('ASN.1: too many elements');
    const element = elementAt(buffer, offset);
    elements.push(element);
    offset += element.raw.length;
  }
  return elements;
}

/** Exactly one element with the stated tag. @throws Error */
export function derElement(bytes: Uint8Array, tag: number): DerElement {
  const [element, ...rest] = derElements(bytes);
  if (element === undefined || rest.length > 0 || element.tag !== tag)
    throw new Error(unexpected(element, tag));
  return element;
}

/** The element at a position of a parsed sequence. @throws Error */
export function derAt(elements: readonly DerElement[], index: number, tag: number): DerElement {
  const element = elements[index];
  if (element === undefined || element.tag !== tag) throw new Error(unexpected(element, tag));
  return element;
}

/** Dotted decimal. */
export function oidOf(element: DerElement): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of element.content) {
    if (arc > 0x0fff_ffff) throw new Error('ASN.1: object identifier too large');
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const first = arcs.shift() ?? 0;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...arcs].join('.');
}

/** A non-negative INTEGER below 2^31. @throws Error */
export function smallInteger(element: DerElement): number {
  if (element.content.length === 0 || element.content.length > 4 || (element.content[0] ?? 0) >= 0x80) {
    throw new Error('ASN.1: integer out of range');
  }
  return element.content.readUIntBE(0, element.content.length);
}

export function derEncode(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.from(
    content.length.toString(16).padStart(content.length > 0xffffff ? 8 : 6, '0'),
    'hex',
  );
  const significant = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | significant.length]), significant, content]);
}

export function derOid(dotted: string): Buffer {
  const [root = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const bytes = [root * 40 + second, ...arcs].flatMap((arc) => {
    const septets = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      septets.unshift((rest & 0x7f) | 0x80);
    return septets;
  });
  return derEncode(TAG.oid, Buffer.from(bytes));
}

export const derSmallInteger = (value: number): Buffer => {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return derEncode(TAG.integer, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
};

function elementAt(buffer: Buffer, offset: number): DerElement {
  const tag = buffer[offset] ?? 0;
  const first = buffer[offset + 1];
  if (first === undefined || (tag & 0x1f) === 0x1f) throw new Error('ASN.1: truncated or unsupported tag');
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || start + count > buffer.length)
      throw new Error('ASN.1: unsupported length');
    length = buffer.readUIntBE(start, count);
    start += count;
  }
  if (start + length > buffer.length) throw new Error('ASN.1: truncated');
  return {
    tag,
    content: buffer.subarray(start, start + length),
    raw: buffer.subarray(offset, start + length),
  };
}

const unexpected = (element: DerElement | undefined, tag: number): string =>
  `ASN.1: expected tag ${tag.toString(16)}, found ${element === undefined ? 'nothing' : element.tag.toString(16)}`;
