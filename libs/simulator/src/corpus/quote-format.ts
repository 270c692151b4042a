import type { DcapErrorCode } from '#dcap';
import { u16le, u32le } from '../fixed-bytes.js';
import { assembleQuote, type LengthOverrides, type QuoteParts } from '../quote-parts.js';
import {
  ALL_KINDS,
  flipped,
  KINDS,
  overwritten,
  quoteCase,
  requestCase,
  TDX_KINDS,
  type BrokenCase,
  type Kind,
} from './evidence.js';

const headerField = (parts: QuoteParts, at: number, value: Buffer): QuoteParts => ({
  ...parts,
  header: overwritten(parts.header, at, value),
});

/** Lengths at which a quote ends too early. Below 1,020 bytes nothing can be a quote. */
function truncations(kind: Kind): BrokenCase[] {
  const tooShort = [0, 1, 47, 48, 432, 1019].map((length) =>
    quoteCase(`quote-format/cut to ${length} bytes`, kind, 'QUOTE_TOO_SHORT', (parts) =>
      assembleQuote(parts).subarray(0, length),
    ),
  );
  const malformed = (['minus one byte', 'half', '1,020 bytes'] as const).map((what) =>
    quoteCase(`quote-format/cut: ${what}`, kind, 'QUOTE_MALFORMED', (parts) => {
      const quote = assembleQuote(parts);
      const length = {
        'minus one byte': quote.length - 1,
        half: Math.floor(quote.length / 2),
        '1,020 bytes': 1020,
      }[what];
      return quote.subarray(0, length);
    }),
  );
  return [...tooShort, ...malformed];
}

/** Without any signature data in it, a quote ends early, and the data follow it. */
function codeOf(field: keyof LengthOverrides, what: string): DcapErrorCode {
  if (field === 'body') return 'QUOTE_BODY_TYPE_UNSUPPORTED';
  return field === 'auth' && what === 'zero' ? 'QUOTE_TRAILING_DATA' : 'QUOTE_MALFORMED';
}

/** Each length field one too small, one too large, zero, and as large as its width allows. */
function lengthFields(kind: Kind): BrokenCase[] {
  const version = KINDS[kind].version;
  const fields: (keyof LengthOverrides)[] = [
    'auth',
    'qeAuth',
    'certification',
    ...(version === 3 ? [] : (['outer'] as const)),
    ...(version === 5 ? (['body'] as const) : []),
  ];
  const truth = (parts: QuoteParts, field: keyof LengthOverrides): number => {
    const inner = 384 + 64 + 2 + parts.qeAuthData.length + 6 + parts.certificationData.length;
    const sizes: Record<keyof LengthOverrides, number> = {
      body: parts.body.length,
      auth: 128 + inner + (version === 3 ? 0 : 6),
      outer: inner,
      qeAuth: parts.qeAuthData.length,
      certification: parts.certificationData.length,
    };
    return sizes[field];
  };
  return fields.flatMap((field) => {
    const max = field === 'qeAuth' ? 0xffff : 0xffff_ffff;
    const values: [string, (real: number) => number][] = [
      ['one too small', (real) => real - 1],
      ['one too large', (real) => real + 1],
      ['zero', () => 0],
      ['at its maximum', () => max],
    ];
    return values.map(([what, change]) =>
      quoteCase(`quote-format/length of ${field} ${what}`, kind, codeOf(field, what), (parts) => ({
        ...parts,
        lengths: { [field]: change(truth(parts, field)) },
      })),
    );
  });
}

function headers(kind: Kind): BrokenCase[] {
  const versions = [0, 1, 2, 6, 0x0103, 0xffff].map((version) =>
    quoteCase(`quote-format/version ${version}`, kind, 'QUOTE_VERSION_UNSUPPORTED', (parts) =>
      headerField(parts, 0, u16le(version)),
    ),
  );
  const keyTypes = [0, 1, 3, 4, 0x0102, 0xffff].map((type) =>
    quoteCase(`quote-format/attestation key type ${type}`, kind, 'QUOTE_KEY_TYPE_UNSUPPORTED', (parts) =>
      headerField(parts, 2, u16le(type)),
    ),
  );
  // Version 3 has no TEE type: the field is reserved.
  const teeTypeCode = KINDS[kind].version === 3 ? 'QUOTE_RESERVED_NOT_ZERO' : 'QUOTE_TEE_TYPE_UNSUPPORTED';
  const teeTypes = [1, 0x80, 0x82, 0x8100, 0xffff_ffff].map((type) =>
    quoteCase(`quote-format/TEE type ${type}`, kind, teeTypeCode, (parts) =>
      headerField(parts, 4, u32le(type)),
    ),
  );
  const vendor = [12, 19, 27].map((at) =>
    quoteCase(`quote-format/QE vendor id, byte ${at - 12}`, kind, 'QUOTE_VENDOR_UNKNOWN', (parts) => ({
      ...parts,
      header: flipped(parts.header, at),
    })),
  );
  const zeroVendor = quoteCase('quote-format/QE vendor id zero', kind, 'QUOTE_VENDOR_UNKNOWN', (parts) =>
    headerField(parts, 12, Buffer.alloc(16)),
  );
  return [...versions, ...keyTypes, ...teeTypes, ...vendor, zeroVendor];
}

function certificationTypes(kind: Kind): BrokenCase[] {
  const inner = [0, 6, 7, 8, 0x0105, 0xffff].map((type) =>
    quoteCase(`quote-format/certification type ${type}`, kind, 'QUOTE_CERT_TYPE_UNSUPPORTED', (parts) => ({
      ...parts,
      certificationType: type,
    })),
  );
  const outer =
    KINDS[kind].version === 3
      ? []
      : [0, 1, 5, 7, 0xffff].map((type) =>
          quoteCase(
            `quote-format/outer certification type ${type}`,
            kind,
            'QUOTE_CERT_TYPE_UNSUPPORTED',
            (parts) => ({ ...parts, outerType: type }),
          ),
        );
  const lookup = ([1, 2, 3, 4] as const).map((type) =>
    requestCase(`quote-format/certification data of type ${type} only`, kind, 'PCK_LOOKUP_REQUIRED', {
      request: { certificationType: type },
    }),
  );
  return [...inner, ...outer, ...lookup];
}

function trailing(kind: Kind): BrokenCase[] {
  const tails: [string, Buffer][] = [
    ['one byte', Buffer.from([1])],
    ['zeros, then one byte', Buffer.concat([Buffer.alloc(63), Buffer.from([0x80])])],
    ['text', Buffer.from('-----BEGIN CERTIFICATE-----\n')],
  ];
  return tails.map(([what, tail]) =>
    quoteCase(`quote-format/after the quote: ${what}`, kind, 'QUOTE_TRAILING_DATA', (parts) =>
      Buffer.concat([assembleQuote(parts), tail]),
    ),
  );
}

const bodyTypes: BrokenCase[] = (['sgx-v5', 'td10-v5', 'td15-v5'] as const).flatMap((kind) =>
  [0, 4, 5, 0x0101, 0xffff]
    .map((type) =>
      quoteCase(`quote-format/body type ${type}`, kind, 'QUOTE_BODY_TYPE_UNSUPPORTED', (parts) => ({
        ...parts,
        bodyType: type,
      })),
    )
    .concat(
      quoteCase('quote-format/TEE type of the other TEE', kind, 'QUOTE_TEE_TYPE_UNSUPPORTED', (parts) =>
        headerField(parts, 4, u32le(KINDS[kind].tee === 'sgx' ? 0x81 : 0)),
      ),
    ),
);

const confusions: BrokenCase[] = [
  quoteCase('quote-format/TDX in version 3', 'sgx-v3', 'QUOTE_RESERVED_NOT_ZERO', (parts) =>
    headerField(parts, 4, u32le(0x81)),
  ),
  quoteCase(
    'quote-format/body size of TD 1.0 with the type of TD 1.5',
    'td10-v5',
    'QUOTE_BODY_TYPE_UNSUPPORTED',
    (parts) => ({ ...parts, bodyType: 3 }),
  ),
  quoteCase(
    'quote-format/body size of TD 1.5 with the type of TD 1.0',
    'td15-v5',
    'QUOTE_BODY_TYPE_UNSUPPORTED',
    (parts) => ({ ...parts, bodyType: 2 }),
  ),
  quoteCase('quote-format/version 3 called 4', 'sgx-v3', 'QUOTE_CERT_TYPE_UNSUPPORTED', (parts) =>
    headerField(parts, 0, u16le(4)),
  ),
  quoteCase('quote-format/body of SGX called TDX', 'sgx-v4', 'QUOTE_MALFORMED', (parts) =>
    headerField(parts, 4, u32le(0x81)),
  ),
  quoteCase('quote-format/body of TDX called SGX', 'tdx-v4', 'QUOTE_MALFORMED', (parts) =>
    headerField(parts, 4, u32le(0)),
  ),
  ...(['sgx-v3', 'tdx-v4'] as const).map((kind) =>
    quoteCase('quote-format/one MiB of padding', kind, 'QUOTE_TOO_LARGE', (parts) =>
      Buffer.concat([assembleQuote(parts), Buffer.alloc(1024 * 1024)]),
    ),
  ),
  ...TDX_KINDS.map((kind) =>
    quoteCase('quote-format/cut inside of the TD report', kind, 'QUOTE_TOO_SHORT', (parts) =>
      assembleQuote(parts).subarray(0, 600),
    ),
  ),
];

/** Everything that is wrong with a quote before any cryptography. */
export const QUOTE_FORMAT_CASES: BrokenCase[] = [
  ...ALL_KINDS.flatMap((kind) => [
    ...truncations(kind),
    ...lengthFields(kind),
    ...headers(kind),
    ...certificationTypes(kind),
    ...trailing(kind),
  ]),
  ...bodyTypes,
  ...confusions,
];
