import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';

/** A DER element: tag, shortest length, content. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const bytes = [length >> 16, (length >> 8) & 0xff, length & 0xff];
  const used = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const head = length < 0x80 ? [length] : [0x80 | used, ...bytes.slice(3 - used)];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

/** A CBOR head of the shortest form. */
export function cbor(major: number, value: number): Buffer {
  const top = major << 5;
  if (value < 24) return Buffer.of(top | value);
  if (value < 0x100) return Buffer.of(top | 24, value);
  return Buffer.from([top | 25, value >> 8, value & 0xff]);
}
export const cborBytes = (bytes: Uint8Array): Buffer => Buffer.concat([cbor(2, bytes.length), bytes]);
export const cborText = (text: string): Buffer =>
  Buffer.concat([cbor(3, Buffer.byteLength(text)), Buffer.from(text)]);

/** Content of the object identifiers, in hex. */
export const OIDS = {
  gramine: '06092a864886f84d8a3906',
  ratsTls: '2a864886f84d8a3906',
  ratsTlsTdx: '2a864886f84d8a3908',
  ratsTlsSnp: '2a864886f84d8a3914',
  occlum: '2a864886f84d01',
  intelSdk: '2a864886f84d010d01',
  dice: '678105050409',
} as const;

export interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
/** A key that signs by itself: a signature that is the same at every run. */
export interface SigningKeys {
  readonly publicKey: KeyObject;
  sign(tbs: Buffer): Buffer;
}
export const ecKeys = (namedCurve = 'P-384'): Keys => generateKeyPairSync('ec', { namedCurve });
export const rsaKeys = (modulusLength: number): Keys => generateKeyPairSync('rsa', { modulusLength });
export const spkiOf = ({ publicKey }: Pick<Keys, 'publicKey'>): Buffer =>
  publicKey.export({ type: 'spki', format: 'der' });

export interface Extension {
  readonly oid: string;
  readonly value: Uint8Array;
}

export interface CertificateRequest {
  readonly keys: Keys | SigningKeys;
  readonly extensions: readonly Extension[];
  readonly version?: 1 | 3;
  readonly hash?: 'sha1' | 'sha256';
  /** Signs in place of the certificate's own key. */
  readonly signer?: KeyObject;
  readonly issuer?: string;
}

const NULL = der(0x05);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ALGORITHM = {
  'rsa-sha1': der(0x30, oid('2a864886f70d010105'), NULL),
  'rsa-sha256': der(0x30, oid('2a864886f70d01010b'), NULL),
  'ec-sha256': der(0x30, oid('2a8648ce3d040302')),
  'ec-sha1': der(0x30, oid('2a8648ce3d0401')),
} as const;

const name = (commonName: string): Buffer =>
  der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, Buffer.from(commonName)))));
const validity = der(0x30, der(0x17, Buffer.from('010101000000Z')), der(0x17, Buffer.from('301231235959Z')));

/** A self-signed certificate as RA-TLS clients make them: serial 1, valid from 2001 to 2030. */
export function certificateWith(request: CertificateRequest): Buffer {
  const { keys, extensions, version = 3, signer, issuer = 'RATLS' } = request;
  const digest = request.hash ?? 'sha256';
  const kind = keys.publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
  const algorithm = ALGORITHM[`${kind}-${digest}`];
  const list = extensions.map(({ oid: id, value }) => der(0x30, oid(id), der(0x04, value)));
  const tbs = der(
    0x30,
    ...(version === 3 ? [der(0xa0, der(0x02, Buffer.of(2)))] : []),
    der(0x02, Buffer.of(1)),
    algorithm,
    name(issuer),
    validity,
    name('RATLS'),
    spkiOf(keys),
    ...(list.length === 0 ? [] : [der(0xa3, der(0x30, ...list))]),
  );
  const signature = 'sign' in keys ? keys.sign(tbs) : sign(digest, tbs, signer ?? keys.privateKey);
  return der(0x30, tbs, algorithm, der(0x03, Buffer.of(0), signature));
}

/** `pubkey-hash` of DICE claims: bytes of [1, SHA-256 of the key]. */
export const pubkeyHash = (spki: Uint8Array): Buffer =>
  Buffer.concat([cbor(4, 2), cbor(0, 1), cborBytes(hash('sha256', spki, 'buffer'))]);

/** The claims map, serialized in the order given. */
export const claimsMap = (...entries: readonly (readonly [string, Uint8Array])[]): Buffer =>
  Buffer.concat([
    cbor(5, entries.length),
    ...entries.flatMap(([key, value]) => [cborText(key), cborBytes(value)]),
  ]);

/** Tagged evidence: tag [quote, claims]. */
export const taggedEvidence = (quote: Uint8Array, claims: Uint8Array, tag = 60_000): Buffer =>
  Buffer.concat([cbor(6, tag), cbor(4, 2), cborBytes(quote), cborBytes(claims)]);

/** Report data that begins with a SHA-256 and ends with zeros. */
export const reportDataOf = (hashed: Uint8Array): Buffer =>
  Buffer.concat([hash('sha256', hashed, 'buffer'), Buffer.alloc(32)]);
