import { sign, type KeyObject, createPublicKey } from 'node:crypto';

/** What em-app's CSR writer does (pkix::pkcs10, sgx_pkix::SgxName), as a DER writer of its own. */
const tlv = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? Buffer.of(tag, length)
      : length < 0x100
        ? Buffer.of(tag, 0x81, length)
        : Buffer.of(tag, 0x82, length >> 8, length & 0xff);
  return Buffer.concat([head, content]);
};
export const sequence = (...parts: Uint8Array[]): Buffer => tlv(0x30, ...parts);
export const octets = (value: Uint8Array): Buffer => tlv(0x04, value);
const set = (...parts: Uint8Array[]): Buffer => tlv(0x31, ...parts);
const bits = (value: Uint8Array): Buffer => tlv(0x03, Buffer.of(0), value);
const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'));
const fortanix = (arcs: string): Buffer => oid(`2b0601040183841a${arcs}`);

export type NamePart = readonly [oid: Buffer, value: Buffer];
export const commonName = (text: string): NamePart => [oid('550403'), utf8(text)];

/** `SgxName::from_report(report, true)`; the extended product id came with later versions. */
export function enclaveNames(report: Buffer, { extended = false } = {}): NamePart[] {
  const part = (arc: string, at: number, length: number): NamePart => [
    fortanix(`0101${arc}`),
    bits(report.subarray(at, at + length)),
  ];
  return [
    part('01', 0, 16),
    part('02', 16, 4),
    part('03', 48, 16),
    part('04', 64, 32),
    part('05', 128, 32),
    part('06', 256, 2),
    ...(extended ? [part('09', 32, 16)] : []),
    part('07', 258, 2),
    part('08', 320, 64),
  ];
}

export const inlineSgxLocal = (report: Buffer): Buffer =>
  sequence(
    fortanix('020101'),
    set(sequence(octets(report.subarray(384, 416)), octets(report.subarray(416, 432)))),
  );

export const embeddedFqpe = (app: Buffer, node: Buffer): Buffer =>
  sequence(fortanix('020201'), set(sequence(octets(app), octets(node))));

export interface CsrParts {
  readonly names: readonly NamePart[];
  readonly attributes: readonly Buffer[];
  readonly altNames?: readonly string[];
}

/** Who signs a request, and how it says so. */
export interface CsrSigner {
  readonly spki: Buffer;
  readonly algorithm: 'rsa' | 'ec';
  sign(info: Buffer): Buffer;
}

/** One request, PEM, signed with SHA-256 by an RSA or P-256 key. */
export function emAppCsr(key: KeyObject, parts: CsrParts): string {
  const der = emAppCsrDer(
    {
      spki: createPublicKey(key).export({ format: 'der', type: 'spki' }),
      algorithm: key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec',
      sign: (info) => sign('sha256', info, key),
    },
    parts,
  );
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

export function emAppCsrDer(signer: CsrSigner, { names, attributes, altNames = [] }: CsrParts): Buffer {
  const alternatives = sequence(...altNames.map((name) => tlv(0x82, Buffer.from(name))));
  const extensions = sequence(sequence(oid('551d11'), octets(alternatives)));
  const requested = sequence(oid('2a864886f70d01090e'), set(extensions));
  const info = sequence(
    Buffer.of(0x02, 0x01, 0x00),
    sequence(...names.map(([type, value]) => set(sequence(type, value)))),
    signer.spki,
    tlv(0xa0, ...attributes, ...(altNames.length > 0 ? [requested] : [])),
  );
  const algorithm =
    signer.algorithm === 'rsa'
      ? sequence(oid('2a864886f70d01010b'), Buffer.of(0x05, 0x00))
      : sequence(oid('2a8648ce3d040302'));
  return sequence(info, algorithm, bits(signer.sign(info)));
}
