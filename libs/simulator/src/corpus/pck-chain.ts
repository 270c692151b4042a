import { chainPem } from '../collateral.js';
import { intelName, NAMES, reissue, type IssuedCertificate } from '../certificate.js';
import { pem, sequence } from '../der-writer.js';
import { P256Key, p256Spki } from '../p256-key.js';
import { bindQeReport, resignQuote } from '../quote-parts.js';
import {
  COMMON_FAULTS,
  END_ENTITY_FAULTS,
  INTERMEDIATE_FAULTS,
  namesOtherThan,
  ROOT_FAULTS,
  selfMadeChain,
  signedBy,
  withKey,
  type CertificateFault,
} from './certificate-faults.js';
import {
  ALL_KINDS,
  chainBytes,
  chainCase,
  flipped,
  pckChainOf,
  quoteCase,
  type BrokenCase,
  type PckChain,
  type Scene,
} from './evidence.js';
import { PEM_FAULTS } from './pem-faults.js';

type Place = keyof PckChain;
const list = ({ leaf, intermediate, root }: PckChain): IssuedCertificate[] => [leaf, intermediate, root];

function place(chain: PckChain, which: Place, certificate: IssuedCertificate): IssuedCertificate[] {
  return list({ ...chain, [which]: certificate });
}

function faultCases(which: Place, faults: CertificateFault[]): BrokenCase[] {
  return faults.map(({ what, code, edit }) =>
    chainCase(`pck-chain/${which}: ${what}`, code, (chain, made) =>
      place(chain, which, edit(chain[which], made.sgx.now())),
    ),
  );
}

const faults: BrokenCase[] = [
  ...faultCases('leaf', [...COMMON_FAULTS, ...END_ENTITY_FAULTS, ...namesOtherThan(NAMES.pck)]),
  ...faultCases('intermediate', [...COMMON_FAULTS, ...INTERMEDIATE_FAULTS]),
  ...faultCases('root', [...COMMON_FAULTS, ...ROOT_FAULTS]),
];

const key =
  (made: Scene) =>
  (label: string): P256Key =>
    made.sgx.pki.key(label);

/** How many certificates there are, and which. */
const composition: BrokenCase[] = ALL_KINDS.flatMap((kind) => [
  ...(['leaf', 'intermediate', 'root'] as const).flatMap((which) => [
    chainCase(
      `pck-chain/without ${which}`,
      'CERT_CHAIN_LENGTH',
      (chain) => list(chain).filter((each) => each !== chain[which]),
      kind,
    ),
    chainCase(
      `pck-chain/${which} twice`,
      'CERT_CHAIN_LENGTH',
      (chain) => [...list(chain), chain[which]],
      kind,
    ),
    chainCase(`pck-chain/${which} alone`, 'CERT_CHAIN_LENGTH', (chain) => [chain[which]], kind),
  ]),
  chainCase(
    'pck-chain/five certificates',
    'PEM_INVALID',
    (chain) => [...list(chain), chain.root, chain.root],
    kind,
  ),
  chainCase(
    'pck-chain/root in place of the intermediate',
    'CERT_ROLE_INVALID',
    (chain) => [chain.leaf, chain.root, chain.root],
    kind,
  ),
  chainCase(
    'pck-chain/intermediate in place of the leaf',
    'CERT_ROLE_INVALID',
    (chain) => [chain.intermediate, chain.intermediate, chain.root],
    kind,
  ),
  chainCase(
    'pck-chain/TCB signer in place of the leaf',
    'CERT_ROLE_INVALID',
    (chain, made) => [made.sgx.pki.tcbSigner, chain.intermediate, chain.root],
    kind,
  ),
]);

/** Certificates of the right names whose keys are not the right ones. */
const forgeries: BrokenCase[] = ALL_KINDS.flatMap((kind) => [
  chainCase(
    'pck-chain/self-made root, CA and leaf',
    'ROOT_NOT_TRUSTED',
    (chain, made) => selfMadeChain(list(chain), key(made)),
    kind,
  ),
  chainCase(
    'pck-chain/intermediate signed by a stranger',
    'CERT_SIGNATURE_INVALID',
    (chain, made) => place(chain, 'intermediate', signedBy(chain.intermediate, made.strangerKey)),
    kind,
  ),
  chainCase(
    'pck-chain/leaf signed by a stranger',
    'CERT_SIGNATURE_INVALID',
    (chain, made) => place(chain, 'leaf', signedBy(chain.leaf, made.strangerKey)),
    kind,
  ),
  chainCase(
    'pck-chain/leaf signed by the root',
    'CERT_SIGNATURE_INVALID',
    (chain) => place(chain, 'leaf', signedBy(chain.leaf, chain.root.key)),
    kind,
  ),
  chainCase(
    'pck-chain/root signed by a stranger',
    'CERT_SIGNATURE_INVALID',
    (chain, made) => place(chain, 'root', signedBy(chain.root, made.strangerKey)),
    kind,
  ),
  chainCase(
    'pck-chain/own CA under the genuine root',
    'CERT_SIGNATURE_INVALID',
    (chain, made) => {
      const ca = withKey(chain.intermediate, made.strangerKey, { signer: made.strangerKey });
      return [signedBy(chain.leaf, made.strangerKey), ca, chain.root];
    },
    kind,
  ),
  chainCase(
    'pck-chain/leaf of another machine',
    'QE_REPORT_SIGNATURE_INVALID',
    (chain, made) => place(chain, 'leaf', made.sgx.platform({ name: 'another' }).pck),
    kind,
  ),
  chainCase(
    'pck-chain/leaf names the other CA as issuer',
    'CERT_ISSUER_MISMATCH',
    (chain) => place(chain, 'leaf', reissue(chain.leaf, { issuer: intelName(NAMES.processor) })),
    kind,
  ),
  chainCase(
    'pck-chain/intermediate names itself as issuer',
    'CERT_ISSUER_MISMATCH',
    (chain) =>
      place(chain, 'intermediate', reissue(chain.intermediate, { issuer: intelName(NAMES.platform) })),
    kind,
  ),
  chainCase(
    'pck-chain/intermediate of the other CA',
    'CERT_ISSUER_MISMATCH',
    (chain, made) => place(chain, 'intermediate', made.sgx.pki.processor),
    kind,
  ),
  quoteCase(
    'pck-chain/a root of one name, but another organization',
    kind,
    'CERT_ROLE_INVALID',
    (parts, made) => {
      const chain = pckChainOf(made);
      const name = intelName(NAMES.root, 'Intel Corp');
      const root = reissue(chain.root, { subject: name, issuer: name });
      return {
        ...parts,
        certificationData: chainBytes([chain.leaf, reissue(chain.intermediate, { issuer: name }), root]),
      };
    },
  ),
]);

/** An intermediate that is no CA of the PCK hierarchy. */
const otherAuthorities: BrokenCase[] = [
  chainCase('pck-chain/intermediate of an unknown CA', 'CERT_ROLE_INVALID', (chain) => {
    const name = intelName('Intel SGX PCK Some CA');
    return [
      reissue(chain.leaf, { issuer: name }),
      reissue(chain.intermediate, { subject: name }),
      chain.root,
    ];
  }),
  chainCase('pck-chain/TCB signer as the intermediate', 'CERT_ROLE_INVALID', (chain, made) => {
    const { tcbSigner } = made.sgx.pki;
    return [
      reissue(chain.leaf, { issuer: tcbSigner.profile.subject, signer: tcbSigner.key }),
      tcbSigner,
      chain.root,
    ];
  }),
];

/** A PCK whose key is no point of the curve: certified, but nothing can be signed by it. */
const impossibleKey = quoteCase(
  'pck-chain/leaf key off the curve',
  'sgx-v3',
  'KEY_INVALID',
  (parts, made) => {
    const chain = pckChainOf(made);
    const spki = p256Spki(flipped(chain.leaf.key.point, 63));
    return resignQuote(
      bindQeReport({
        ...parts,
        certificationData: chainBytes([reissue(chain.leaf, { spki }), chain.intermediate, chain.root]),
      }),
      { pck: made.pckKey },
    );
  },
);

const pemFaults: BrokenCase[] = PEM_FAULTS.map(({ what, code, edit }) =>
  chainCase(`pck-chain/PEM: ${what}`, code, (chain) => edit(chainPem(list(chain)))),
);

/** DER that is wrong inside of correct PEM. */
const derFaults: BrokenCase[] = (
  [
    ['bytes after the certificate', (der: Buffer) => Buffer.concat([der, Buffer.from([0])])],
    ['the last byte missing', (der: Buffer) => der.subarray(0, -1)],
    [
      'an indefinite length',
      (der: Buffer) => Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(4), Buffer.alloc(2)]),
    ],
    [
      'a length that is not minimal',
      (der: Buffer) => Buffer.concat([Buffer.from([0x30, 0x83, 0]), der.subarray(2)]),
    ],
    ['a SET instead of a SEQUENCE', (der: Buffer) => Buffer.concat([Buffer.from([0x31]), der.subarray(1)])],
    [
      'one hundred nested sequences',
      () => Array.from({ length: 100 }).reduce<Buffer>((inner) => sequence(inner), sequence()),
    ],
    ['an empty sequence', () => sequence()],
  ] as [string, (der: Buffer) => Buffer][]
).flatMap(([what, edit]) =>
  (['leaf', 'intermediate', 'root'] as const).map((which) =>
    chainCase(`pck-chain/DER of the ${which}: ${what}`, 'DER_INVALID', (chain) =>
      list(chain)
        .map((each) => pem('CERTIFICATE', each === chain[which] ? edit(each.der) : each.der))
        .join(''),
    ),
  ),
);

export const PCK_CHAIN_CASES: BrokenCase[] = [
  ...faults,
  ...composition,
  ...forgeries,
  ...otherAuthorities,
  impossibleKey,
  ...pemFaults,
  ...derFaults,
];
