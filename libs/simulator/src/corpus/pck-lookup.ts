import { reissue } from '../certificate.js';
import { chainPem } from '../collateral.js';
import { assembleQuote } from '../quote-parts.js';
import type { SimulatedSgx } from '../simulated-sgx.js';
import type { AcceptedVariant } from './accepted-variants.js';
import {
  ALL_KINDS,
  editedQuote,
  flipped,
  pckChainOf,
  quoteCase,
  scene,
  valid,
  type BrokenCase,
  type Evidence,
  type Kind,
  type Scene,
} from './evidence.js';

type LookupType = 1 | 2 | 3 | 4;
const TYPES: LookupType[] = [1, 2, 3, 4];

/** A quote that names its PCK, with the chain that the caller looked up. */
function lookedUp(
  sgx: SimulatedSgx,
  kind: Kind,
  type: LookupType,
  chain?: (made: Scene) => string,
): Evidence {
  const made = scene(sgx, kind);
  return {
    ...valid(sgx, kind, { request: { certificationType: type } }),
    settings: { pckCertificateChain: chain?.(made) ?? made.platform.chainPem },
  };
}

function lookupCase(
  name: string,
  kind: Kind,
  type: LookupType,
  code: BrokenCase['expectedCode'],
  chain: (made: Scene) => string,
): BrokenCase {
  return {
    name: `pck-lookup/type ${type}: ${name}/${kind}`,
    expectedCode: code,
    make: (sgx) => lookedUp(sgx, kind, type, chain),
    twin: (sgx) => lookedUp(sgx, kind, type),
  };
}

/** The looked-up chain is as untrusted as one in the quote, and must be that of the machine. */
const chains: BrokenCase[] = (['sgx-v3', 'tdx-v4'] as const).flatMap((kind) =>
  TYPES.flatMap((type) => [
    lookupCase('no PEM', kind, type, 'PEM_INVALID', () => 'not a chain'),
    lookupCase('the leaf alone', kind, type, 'CERT_CHAIN_LENGTH', ({ platform }) => platform.pck.pem),
    lookupCase('leaf signed by a stranger', kind, type, 'CERT_SIGNATURE_INVALID', (made) => {
      const chain = pckChainOf(made);
      return chainPem([reissue(chain.leaf, { signer: made.strangerKey }), chain.intermediate, chain.root]);
    }),
    lookupCase(
      'chain of another machine',
      kind,
      type,
      type === 4 ? 'CERT_ISSUER_MISMATCH' : 'QE_REPORT_SIGNATURE_INVALID',
      ({ sgx }) => sgx.platform({ name: 'another' }).chainPem,
    ),
  ]),
);

/** The PCE that the quote names must be that of the certificate. */
const pces: BrokenCase[] = ([1, 2, 3] as const).map((type) => ({
  name: `pck-lookup/type ${type}: another PCE/sgx-v3`,
  expectedCode: 'PCE_ID_MISMATCH' as const,
  make: (sgx: SimulatedSgx) => ({
    ...lookedUp(sgx, 'sgx-v3', type),
    quote: editedQuote(
      sgx,
      'sgx-v3',
      (parts) => ({ ...parts, certificationData: flipped(parts.certificationData, -1) }),
      {
        request: { certificationType: type },
      },
    ),
  }),
  twin: (sgx: SimulatedSgx) => lookedUp(sgx, 'sgx-v3', type),
}));

/** What names a PCK has one length for each type. */
const lengths: BrokenCase[] = ([1, 2, 3] as const).flatMap((type) =>
  ([-1, 1] as const).map((difference) => ({
    name: `pck-lookup/type ${type}: data ${difference} byte/sgx-v3`,
    expectedCode: 'QUOTE_MALFORMED' as const,
    make: (sgx: SimulatedSgx) => ({
      ...lookedUp(sgx, 'sgx-v3', type),
      quote: editedQuote(
        sgx,
        'sgx-v3',
        (parts) => {
          const data = parts.certificationData;
          return {
            ...parts,
            certificationData: difference < 0 ? data.subarray(0, -1) : Buffer.concat([data, Buffer.alloc(1)]),
          };
        },
        { request: { certificationType: type } },
      ),
    }),
    twin: (sgx: SimulatedSgx) => lookedUp(sgx, 'sgx-v3', type),
  })),
);

/** A chain that the caller passes stands in for the quote's own, good or bad, as in Intel's verification library. */
const ownChain: BrokenCase[] = ALL_KINDS.map((kind) => ({
  name: `pck-lookup/type 5: the chain of the caller is broken/${kind}`,
  expectedCode: 'PEM_INVALID' as const,
  make: (sgx: SimulatedSgx) => ({ ...valid(sgx, kind), settings: { pckCertificateChain: 'not a chain' } }),
  twin: callersChain(kind),
}));

/** The quote's own chain is broken, the caller's is good. */
function callersChain(kind: Kind): (sgx: SimulatedSgx) => Evidence {
  return (sgx) => ({
    ...valid(sgx, kind),
    quote: editedQuote(sgx, kind, (parts) => ({ ...parts, certificationData: Buffer.from('not a chain') })),
    settings: { pckCertificateChain: scene(sgx, kind).platform.chainPem },
  });
}

/** The quote of the case before, once its chain has been replaced by a caller, is as broken as ever without it. */
const notRemembered: BrokenCase[] = ALL_KINDS.map((kind) => ({
  name: `pck-lookup/type 5: what the caller replaced is not remembered/${kind}`,
  expectedCode: 'PEM_INVALID' as const,
  make: (sgx: SimulatedSgx) => ({ ...callersChain(kind)(sgx), settings: {} }),
  twin: callersChain(kind),
}));

const emptyChain: BrokenCase[] = ALL_KINDS.map((kind) =>
  quoteCase('pck-lookup/type 5: no chain at all', kind, 'PEM_INVALID', (parts) => ({
    ...parts,
    certificationData: Buffer.alloc(0),
  })),
);

/** Evidence as Open Enclave wraps it: version 1, type 2, length of the quote. */
export function openEnclaveEvidence(quote: Buffer, length: number, version = 1, type = 2): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(version, 0);
  header.writeUInt32LE(type, 4);
  header.writeBigUInt64LE(BigInt(length), 8);
  return Buffer.concat([header, quote]);
}

const openEnclave: BrokenCase[] = (['sgx-v3', 'sgx-v4', 'sgx-v5'] as const).flatMap((kind) => [
  quoteCase('open-enclave/length beyond the end', kind, 'OE_HEADER_INVALID', (parts) => {
    const quote = assembleQuote(parts);
    return openEnclaveEvidence(quote, quote.length + 1);
  }),
  quoteCase('open-enclave/length within the quote', kind, 'OE_HEADER_INVALID', (parts) => {
    const quote = assembleQuote(parts);
    return openEnclaveEvidence(quote, quote.length - 64);
  }),
  quoteCase('open-enclave/length zero', kind, 'OE_HEADER_INVALID', (parts) =>
    openEnclaveEvidence(assembleQuote(parts), 0),
  ),
  quoteCase('open-enclave/length of 2^53', kind, 'OE_HEADER_INVALID', (parts) =>
    openEnclaveEvidence(assembleQuote(parts), 2 ** 53),
  ),
  ...(
    [
      ['another version', 2, 2],
      ['a local report', 1, 1],
    ] as const
  ).map(([what, version, type]) =>
    quoteCase(`open-enclave/${what}`, kind, 'QUOTE_VERSION_UNSUPPORTED', (parts) => {
      const quote = assembleQuote(parts);
      return openEnclaveEvidence(quote, quote.length, version, type);
    }),
  ),
  quoteCase('open-enclave/two headers', kind, 'QUOTE_VERSION_UNSUPPORTED', (parts) => {
    const quote = assembleQuote(parts);
    return openEnclaveEvidence(openEnclaveEvidence(quote, quote.length), quote.length + 16);
  }),
]);

/** Bytes behind the certification data, which every length around them covers but its own. */
const nestedTails: BrokenCase[] = ALL_KINDS.flatMap((kind) =>
  (['auth', 'outer'] as const)
    .filter((field) => field === 'auth' || (kind !== 'sgx-v3' && field === 'outer'))
    .map((field) =>
      quoteCase(
        `quote-format/a zero byte at the end, inside of ${field}`,
        kind,
        'QUOTE_MALFORMED',
        (parts) => {
          const inner = 384 + 64 + 2 + parts.qeAuthData.length + 6 + parts.certificationData.length;
          const auth = 128 + inner + (parts.layout === 3 ? 0 : 6) + 1;
          const lengths = field === 'auth' ? { auth } : { auth, outer: inner + 1 };
          return Buffer.concat([assembleQuote({ ...parts, lengths }), Buffer.alloc(1)]);
        },
      ),
    ),
);

export const PCK_LOOKUP_CASES: BrokenCase[] = [
  ...chains,
  ...pces,
  ...lengths,
  ...ownChain,
  ...notRemembered,
  ...emptyChain,
  ...openEnclave,
  ...nestedTails,
];

export const PCK_LOOKUP_VARIANTS: AcceptedVariant[] = ALL_KINDS.flatMap((kind) =>
  TYPES.map((type) => ({
    name: `accepted/PCK chain looked up for type ${type}/${kind}`,
    expectedStatus: 'UpToDate' as const,
    make: (sgx: SimulatedSgx) => lookedUp(sgx, kind, type),
  })),
);
